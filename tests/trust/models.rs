//! The files of CLIP and MiniLM checkpoints.

use std::fs;
use std::path::Path;

use interrogate::clip::{Checkpoint, Config, preprocess};
use interrogate::encoder::{Counter, TextEncoder};
use interrogate::sentence::MiniLm;
use interrogate::weights::Weights;

use crate::assault::{Reader, any};
use crate::{copy, repository};

/// What a reader says in a line.
fn said<T>(result: interrogate::Result<T>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Tokens of a text by the tokenizer of a checkpoint.
fn tokens(folder: &Path) -> Result<usize, String> {
    let counter = said(said(Checkpoint::open(folder))?.counter())?;
    said(counter.count("a cat, 8k, café"))
}

#[test]
fn a_config_does_not_break() {
    let folder = copy("clip/gelu");
    let read = |path: &Path| -> Result<String, String> {
        said(Config::open(path))?;
        // The weights are of other sizes, or the same.
        said(Checkpoint::open(path.parent().unwrap())).map(|c| format!("{:?}", c.config()))
    };
    Reader::new(folder.path().join("config.json"), &read).assault(usize::MAX, any);
}

#[test]
fn the_steps_before_a_tower_do_not_break() {
    let folder = copy("clip/gelu");
    let read = |path: &Path| said(preprocess::open(path)).map(|steps| format!("{steps:?}"));
    let path = folder.path().join("preprocessor_config.json");
    Reader::new(path, &read).assault(usize::MAX, any);
}

#[test]
fn vocabulary_and_merges_do_not_break() {
    let folder = copy("clip/quick");
    let read = |_: &Path| tokens(folder.path());
    Reader::new(folder.path().join("merges.txt"), &read).assault(usize::MAX, any);
    Reader::new(folder.path().join("vocab.json"), &read).assault(200, any);
}

#[test]
fn a_tokenizer_does_not_break() {
    let folder = copy("clip/gelu");
    let read = |_: &Path| tokens(folder.path());
    // Its first part says how texts are cut; the vocabulary behind is the largest.
    Reader::new(folder.path().join("tokenizer.json"), &read).every(3).assault(2200, any);
}

/// The same of MiniLM, whose config is the tensor engine's.
#[test]
fn a_sentence_model_does_not_break() {
    let folder = copy("sentence");
    let read = |_: &Path| {
        let model = said(MiniLm::open(folder.path()))?;
        said(model.tokenize(&["a cat, 8k, café"])).map(|tokens| tokens.total())
    };
    Reader::new(folder.path().join("config.json"), &read).every(3).assault(usize::MAX, any);
}

/// All of a small file of weights.
fn weights(path: &Path) -> Result<Vec<(String, Vec<usize>)>, String> {
    let weights = said(Weights::open(path))?;
    let names: Vec<String> = weights.names().cloned().collect();
    let mut all = Vec::new();
    for name in names {
        let shape = weights.shape(&name).unwrap().to_vec();
        // OpenAI's marks are whole numbers, which are no weights.
        if !shape.is_empty() {
            said(weights.take(&name, &shape))?;
        }
        all.push((name, shape));
    }
    Ok(all)
}

#[test]
fn weights_do_not_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F16","shape":[3],"data_offsets":[16,22]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    fs::write(&path, [&length[..], header.as_bytes(), &[1; 22]].concat()).unwrap();
    Reader::new(path, &weights).assault(usize::MAX, any);
}

/// Headers that ask for far more memory than they have bytes.
#[test]
fn a_header_of_weights_takes_a_bounded_room() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(folder.path().join("model.safetensors"), &weights);
    let file =
        |header: &str| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let one = |n: usize| format!(r#""{n}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
    let many: Vec<String> = (0..60_000).map(one).collect();
    let many = format!("{{{}}}", many.join(","));
    assert!(many.len() < 4 << 20 && many.len() > 3 << 20, "{}", many.len());
    reader.refuses(&file(&many)); // opened, and of a type that no weight has
    let deep = format!(
        r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#,
        "1,".repeat((4 << 20) / 2 - 50)
    );
    reader.refuses(&file(&deep));
    reader.refuses(&file(&format!("{{{}", "[".repeat(1 << 20))));
    let longer = vec![b' '; (4 << 20) + 1];
    assert!(reader.refuses(&file(&String::from_utf8(longer).unwrap())).contains("at most 4194304"));
}

/// A file of OpenAI's archive cut and changed: every byte of its directory, at the
/// end of the file, and of its first headers.
#[test]
fn an_archive_does_not_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.pt");
    let whole = fs::read(repository().join("tests/fixtures/openai/tiny.pt")).unwrap();
    let reader = Reader::new(path, &weights);
    let right = reader.reads(&whole);
    let directory = whole.windows(4).position(|mark| mark == b"PK\x01\x02").unwrap();
    let places = (0..600).chain(directory..whole.len());
    for (step, at) in places.enumerate().filter(|(step, _)| step % 29 == 0) {
        reader.refuses(&whole[..at]);
        let mut changed = whole.clone();
        changed[at] ^= 1 << (step / 29 % 8);
        let _ = reader.tries(&changed);
    }
    assert_eq!(reader.reads(&whole), right);
}
