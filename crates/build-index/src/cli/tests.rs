use std::fs;
use std::path::Path;

use clap::{CommandFactory, Parser};
use interrogate::Precision;
use interrogate::encoder::{Embeddings, TextEncoder, Tokens};
use interrogate::index::Index;

use super::*;

/// An encoder whose rows are a label's length and 1.
struct Lengths;

impl TextEncoder for Lengths {
    fn dim(&self) -> usize {
        2
    }
    fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
        let mut tokens = Tokens::new();
        texts.iter().for_each(|text| tokens.push(&[text.len() as u32]));
        Ok(tokens)
    }
    fn embed(&self, tokens: &Tokens) -> interrogate::Result<Embeddings> {
        Embeddings::new(2, tokens.iter().flat_map(|ids| [ids[0] as f32, 1.0]).collect())
    }
}

fn open(name: &str) -> Result<Model> {
    Ok(Model {
        id: name.to_owned(),
        slug: "slug".to_owned(),
        fingerprint: "f".to_owned(),
        precision: Precision::Bf16,
        encoder: Box::new(Lengths),
    })
}

/// Runs the command on `dictionary`; returns its messages and its result.
fn command(folder: &Path, dictionary: &str, more: &[&str]) -> (String, Result<Report>) {
    let dicts = folder.join("mediums.txt");
    fs::write(&dicts, dictionary).unwrap();
    let indexes = folder.join("indexes");
    let mut typed = vec!["build-index", dicts.to_str().unwrap(), "-o", indexes.to_str().unwrap()];
    typed.extend(more);
    let options = Args::try_parse_from(typed).unwrap().build.resolve().unwrap();
    let logger = Logger::in_memory(options.verbosity == Verbosity::Quiet);
    let result = run(&options, open, || false, &logger);
    (logger.messages(), result)
}

#[test]
fn arguments_are_consistent() {
    Args::command().debug_assert();
}

#[test]
fn manifest_names_the_precision_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path(), "a\n", &[]).1.unwrap();
    let index = Index::open(&folder.path().join("indexes/slug")).unwrap();
    assert_eq!(index.manifest().model().precision.as_deref(), Some("bf16"));
}

#[test]
fn subcommand_replaces_a_build() {
    let parse = |typed: &str| Args::try_parse_from(typed.split(' '));
    assert!(matches!(
        parse("x import cache dicts -o i --model m").unwrap().command,
        Some(Command::Import(_))
    ));
    assert!(matches!(parse("x export i dicts -o c").unwrap().command, Some(Command::Export(_))));
    assert!(parse("x ./import -o i").unwrap().command.is_none());
    assert!(parse("x -o i").unwrap().command.is_none());
    for wrong in ["x import cache", "x import -o i", "x export -o c", "x export i", "x dicts"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn import_needs_caches_and_dictionaries() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let error = |paths: &[&str]| {
        let typed = ["x", "import"].into_iter().chain(paths.iter().copied()).chain(["-o", "i"]);
        let Some(Command::Import(args)) = Args::try_parse_from(typed).unwrap().command else {
            panic!("an import was typed")
        };
        args.resolve().unwrap_err().to_string()
    };
    fs::write(path("a.txt"), "x").unwrap();
    fs::write(path("m_a.safetensors"), "").unwrap();
    assert!(error(&[&path("a.txt")]).starts_with("no cache (*.safetensors) in "));
    assert!(error(&[&path("m_a.safetensors")]).starts_with("no dictionary (*.txt) in "));
    let error = error(&[&path("m_a.safetensors"), &path("gone")]);
    assert_eq!(error, format!("cannot read {}", path("gone")));
}

#[test]
fn index_is_built_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (messages, report) =
        command(folder.path(), "a\nbb\n", &["--model", "m", "--shard-rows", "1"]);
    assert_eq!(report.unwrap().encoded, 2);
    assert!(messages.contains("table    mediums: 2 labels in 2 shards\n"), "{messages}");
    let index = Index::open(&folder.path().join("indexes/slug")).unwrap();
    assert_eq!(index.manifest().model().id, "m");
}

#[test]
fn findings_are_listed_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("a\n{}", "\n".repeat(25));
    let lines = |more: &[&str]| {
        let (messages, _) = command(folder.path(), &text, more);
        let findings = messages.lines().filter(|line| line.contains("mediums.txt: "));
        findings.map(|line| line.rsplit_once("mediums.txt: ").unwrap().1.to_owned()).collect()
    };
    let normal: Vec<String> = lines(&[]);
    assert_eq!((normal.len(), &normal[0][..]), (21, "line 2: blank, left out"));
    assert_eq!(normal[20], "5 more findings");
    assert_eq!(lines(&["--verbose"]).len(), 25);
    assert_eq!(lines(&["--quiet"]), ["25 findings"]);
}

#[test]
fn quiet_build_without_findings_prints_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (messages, report) = command(folder.path(), "a\n", &["--quiet"]);
    assert_eq!((messages.as_str(), report.unwrap().labels), ("", 1));
}

#[test]
fn stopped_build_hints_how_to_continue() {
    let folder = tempfile::tempdir().unwrap();
    let dicts = folder.path().join("a.txt");
    fs::write(&dicts, "a").unwrap();
    let typed = ["x".as_ref(), dicts.as_os_str(), "-o".as_ref(), folder.path().as_os_str()];
    let options = Args::try_parse_from(typed).unwrap().build.resolve().unwrap();
    let error = run(&options, open, || true, &Logger::in_memory(true)).unwrap_err();
    assert_eq!(error.to_string(), "stopped after 0 of 1 labels");
    assert!(error.hint().unwrap().contains("run the same command again"));
}
