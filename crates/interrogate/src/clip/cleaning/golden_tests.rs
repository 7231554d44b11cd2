//! Token ids against those of open_clip's tokenizer, ftfy and CPython, in the versions of
//! tests/fixtures/cleaning/make.py.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Cleaning, Form, ftfy};
use crate::clip::config::TextConfig;
use crate::clip::tokenizer::{Tokenizer, TokenizerFiles};

const FORMS: [(&str, Cleaning); 4] = [
    ("openai", Cleaning::OpenAi),
    ("lower", Cleaning::OpenClip(Form::Lower)),
    ("whitespace", Cleaning::OpenClip(Form::Whitespace)),
    ("canonicalize", Cleaning::OpenClip(Form::Canonicalize)),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn golden() -> Value {
    let path = root().join("tests/fixtures/cleaning/golden.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn tokenizer(cleaning: Cleaning) -> Tokenizer {
    Tokenizer::open(&TokenizerFiles::Embedded, &TextConfig::default(), cleaning).unwrap()
}

/// The ids of a text, without start and end token.
fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let ids = tokenizer.encode(text).unwrap();
    ids[1..ids.len() - 1].to_vec()
}

fn joined(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn every_shipped_label_has_open_clips_tokens() {
    let golden = golden();
    let mut labels = Vec::new();
    for name in golden["files"].as_array().unwrap() {
        let path = root().join(format!("dicts/{}.txt", name.as_str().unwrap()));
        let text = std::fs::read_to_string(path).unwrap();
        labels.extend(text.split('\n').map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned));
    }
    assert_eq!(labels.len(), golden["labels"]);
    let (own, fast) =
        (tokenizer(Cleaning::OpenClip(Form::Lower)), tokenizer(Cleaning::Transformers));
    let found: Vec<Vec<u32>> = labels.par_iter().map(|label| ids(&own, label)).collect();
    // First the labels that differ from the fast tokenizer's, for a better message.
    let pairs: Vec<(String, Vec<u32>)> =
        serde_json::from_value(golden["labels_that_differ"].clone()).unwrap();
    let expected: BTreeMap<String, Vec<u32>> = pairs.into_iter().collect();
    assert_eq!(expected.len(), golden["differing"]);
    for (label, ids) in &expected {
        assert_eq!(&self::ids(&own, label), ids, "{label:?}");
        assert_ne!(&self::ids(&fast, label), ids, "{label:?}");
    }
    let mut all = String::new();
    found.iter().for_each(|ids| writeln!(all, "{}", joined(ids)).unwrap());
    assert_eq!(digest(&all), golden["digest"]);
}

#[test]
fn damaged_and_hostile_texts_have_open_clips_tokens() {
    let golden = golden();
    let nasty = golden["nasty"].as_array().unwrap();
    assert!(nasty.len() > 300);
    for (name, cleaning) in FORMS {
        let tokenizer = tokenizer(cleaning);
        let mut wrong = Vec::new();
        for entry in nasty {
            let text = entry["text"].as_str().unwrap();
            // A form with the same ids as the first has no entry.
            let expected = entry.get(name).unwrap_or(&entry["openai"]);
            let found = joined(&ids(&tokenizer, text));
            let expected = match expected.as_str() {
                Some(digest) => digest.to_owned(),
                None => joined(&serde_json::from_value::<Vec<u32>>(expected.clone()).unwrap()),
            };
            if found != expected && digest(&found) != expected {
                wrong.push(format!("{text:?}: expected {expected}, found {found}"));
            }
        }
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}

/// A chain relies on this: it tokenizes only the text after the last white space.
#[test]
fn tokens_of_plain_parts_are_those_of_the_whole() {
    let parts = ["", "a", "it's", ", 8 k", " x\n", "<b>", "<end_of_text>", "_", "#39;", ";", "'"];
    for (name, cleaning) in FORMS {
        let tokenizer = tokenizer(cleaning);
        for head in
            parts.iter().filter(|part| part.ends_with(char::is_whitespace) || part.is_empty())
        {
            for (a, b) in parts.iter().flat_map(|a| parts.iter().map(move |b| (a, b))) {
                let (head, tail) = ([a, " ", head].concat(), [*b, "end"].concat());
                let whole = ids(&tokenizer, &[head.as_str(), &tail].concat());
                let of_parts = [ids(&tokenizer, &head), ids(&tokenizer, &tail)].concat();
                assert_eq!(of_parts, whole, "{name}: {head:?} and {tail:?}");
                assert!(tokenizer.is_local(&head) && tokenizer.is_local(&tail));
            }
        }
        assert!(!tokenizer.is_local("&") && !tokenizer.is_local("\u{e9}"));
        assert!(!tokenizer.is_local("\u{1b}") && !tokenizer.is_local("\u{b}"));
    }
}

/// Texts of the maximum length of a label, of every kind that needs several passes.
#[test]
fn nested_damage_terminates() {
    let size = 1 << 16;
    for text in [
        format!("&{}\u{e9}", "amp;".repeat(size / 4)),
        "\u{c3}\u{83}\u{c2}\u{83}".repeat(size / 8),
        "\u{c3}".repeat(size / 2),
        "\u{e2}\u{20ac} \u{4e00}".repeat(size / 9),
        "&".repeat(size),
        "\u{1b}[1".repeat(size / 3),
        "a\u{301}".repeat(size / 3),
    ] {
        let fixed = ftfy::fix_text(&text);
        assert!(fixed.len() <= text.len(), "{:?}", text.chars().take(8).collect::<String>());
    }
}
