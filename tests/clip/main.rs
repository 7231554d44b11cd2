//! CLIP checkpoints end to end: parity with transformers, and errors for damaged files.
//!
//! `tests/fixtures/clip/make.py` and `tests/fixtures/openai/make.py` wrote the checkpoints
//! and their golden values; they name the versions. One file per subject.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod chain;
mod cleaning;
mod damage;
mod families;
mod files;
mod foreign;
mod openai;
mod parity;
mod trie;

use std::fs;
use std::path::{Path, PathBuf};

use interrogate::Error;
use interrogate::clip::Checkpoint;
use interrogate::encoder::TextEncoder;
use serde_json::Value;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/clip").join(name)
}

/// Copies a fixture to a temporary folder.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(name)).unwrap()
}

/// The error's message, with paths relative to `folder`.
fn relative_message(folder: &TempDir, error: &Error) -> String {
    let prefix = format!("{}", folder.path().display());
    error.to_string().replace(&format!("{prefix}/"), "").replace(&prefix, "FOLDER")
}

fn edit(folder: &TempDir, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(name);
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
}
