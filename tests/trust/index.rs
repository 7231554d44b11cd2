//! The files of an index, damaged one at a time: the index is opened, verified and
//! read.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use build_index::{Builder, Dictionary};
use interrogate::encoder::Features;
use interrogate::index::{Index, Labels, Manifest, Shard};
use tempfile::TempDir;

use crate::copy;
use crate::fake::Fake;
use crate::mutation::{Reader, if_changed, never};

/// The labels of an index, the bits of its rows, and a ranking.
type Contents = (Vec<String>, Vec<u16>, Vec<(String, u32)>);

fn open(folder: &Path) -> Result<Index, String> {
    Index::open(folder).map_err(|error| error.to_string())
}

/// Reads everything in an index, after verification or without it.
fn contents(folder: &Path, verified: bool) -> Result<Contents, String> {
    let index = open(folder)?;
    if verified {
        index.verify(|_| ()).map_err(|error| error.to_string())?;
    }
    let (mut labels, mut bits, mut ranked) = (Vec::new(), Vec::new(), Vec::new());
    let query = Features::new((1..=index.dim()).map(|v| v as f32).collect()).unwrap();
    for table in index.tables() {
        for label in table.labels() {
            labels.push(label.map_err(|error| error.to_string())?.to_owned());
        }
        bits.extend(table.rows().into_iter().flatten().map(|value| value.to_bits()));
        let found = table.rank(&query, 3).map_err(|error| error.to_string())?;
        ranked.extend(found.iter().map(|m| (m.label.to_owned(), m.score.to_bits())));
    }
    Ok((labels, bits, ranked))
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A verified index has its original contents, or is refused.
#[test]
fn changed_index_file_is_detected() {
    for fixture in ["index-v1", "index-v1-codes", "index-v2"] {
        let folder = copy(fixture);
        for path in files(&folder) {
            let read = |_: &Path| contents(folder.path(), true);
            Reader::new(path, &read).mutate(usize::MAX, if_changed);
        }
    }
}

/// Without verification results may be wrong, but nothing panics.
#[test]
fn unverified_damaged_index_is_handled() {
    let folder = copy("index-v2");
    for path in files(&folder) {
        let read = |_: &Path| contents(folder.path(), false);
        Reader::new(path, &read).mutate(usize::MAX, never);
    }
}

#[test]
fn damaged_files_are_handled_by_each_reader() {
    let folder = copy("index-v2");
    for path in files(&folder) {
        let read = |path: &Path| -> Result<usize, String> {
            let bytes = fs::read(path).unwrap();
            let text = |error: interrogate::Error| error.to_string();
            let name = path.to_string_lossy();
            if name.ends_with(".json") {
                return Manifest::parse(path, &bytes).map(|m| m.tables().len()).map_err(text);
            }
            if name.ends_with(".labels") {
                let labels = Labels::open(path, bytes).map_err(text)?;
                return labels.iter().map(|l| l.map(str::len).map_err(text)).sum();
            }
            let shard = Shard::open(path, bytes).map_err(text)?;
            Ok(shard.rows().len() + shard.codes().map_or(0, |codes| codes.len()))
        };
        Reader::new(path, &read).mutate(usize::MAX, never);
    }
}

/// Two shards of one shape are swapped: the headers are valid, the checksums are not.
#[test]
fn swapped_shards_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(8);
    let labels: String = (0..8).map(|n| format!("label {n}\n")).collect();
    let dictionary = Dictionary::parse(Path::new("a.txt"), labels.as_bytes()).unwrap();
    let builder = Builder::new(&fake, "fake", "f1").shard_rows(4);
    builder.build(&[dictionary], folder.path(), |_| ControlFlow::Continue(())).unwrap();
    let whole = contents(folder.path(), true).unwrap();
    let shards: Vec<PathBuf> =
        files(&folder).into_iter().filter(|p| p.extension().unwrap() == "safetensors").collect();
    let [one, two] = &shards[..] else { panic!("{shards:?}") };
    let away = folder.path().join("away");
    for (from, to) in [(one, &away), (two, one), (&away, two)] {
        fs::rename(from, to).unwrap();
    }
    let message = contents(folder.path(), true).unwrap_err();
    assert!(
        message.contains("-00000-of-00002-") && message.contains("sha256: expected"),
        "{message}"
    );
    let swapped = contents(folder.path(), false).unwrap();
    assert_eq!(swapped.0, whole.0);
    assert_ne!(swapped.1, whole.1);
    // With each other's number in their names, the files are missing.
    for (path, number) in [(one, "00001"), (two, "00000")] {
        let name = path.file_name().unwrap().to_str().unwrap();
        let at = name.find("-of-").unwrap();
        fs::rename(path, folder.path().join(format!("{}{number}{}", &name[..at - 5], &name[at..])))
            .unwrap();
    }
    let message = contents(folder.path(), false).unwrap_err();
    assert!(
        message.ends_with("expected the one that manifest.json names, found none"),
        "{message}"
    );
}

/// A build resumes from the intact part of a damaged journal.
#[test]
fn damaged_journal_never_changes_the_index() {
    let fake = Fake::new(4);
    let dictionary = || Dictionary::parse(Path::new("a.txt"), b"8k\na cat\nb\nc\nd").unwrap();
    let builder = || Builder::new(&fake, "fake", "f1").block(2).shard_rows(3);
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = 0;
    // A build stopped after two blocks leaves their journal.
    let stop = |_| {
        blocks += 1;
        if blocks < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    builder().build(&[dictionary()], folder.path(), stop).unwrap_err();
    let journal = fs::read(folder.path().join("build.journal")).unwrap();
    assert!(journal.len() > 100, "{}", journal.len());

    let built = tempfile::tempdir().unwrap();
    let read = |path: &Path| -> Result<Contents, String> {
        let proceed = |_| ControlFlow::Continue(());
        let journal = fs::read(path).unwrap();
        let folder = tempfile::tempdir_in(built.path()).unwrap();
        fs::write(folder.path().join("build.journal"), journal).unwrap();
        let report = builder().build(&[dictionary()], folder.path(), proceed);
        report.map_err(|error| error.to_string())?;
        contents(folder.path(), true)
    };
    let path = built.path().join("journal");
    fs::write(&path, journal).unwrap();
    Reader::new(path, &read).mutate(usize::MAX, if_changed);
}
