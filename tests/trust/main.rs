//! Every reader, given files that are cut, changed, swapped and grown: a named
//! error or an answer, in bounded time and memory, never a panic.
//!
//! The allocator counts, and one reader is looked at at a time ([`assault`]); so
//! these tests have a binary of their own. Readers that no file name leads to (zip
//! and pickle, a shard's header, a template) have such tests beside their code, and
//! fuzz/ has a target for each.

#![expect(clippy::unwrap_used, reason = "clippy.toml excuses tests, not what they share")]

#[path = "../allocator.rs"]
#[allow(dead_code, reason = "the hostile images count what stays, too")]
mod allocator;
mod assault;
mod captions;
mod circles;
#[path = "../index/fake.rs"]
#[allow(dead_code, reason = "the tests of the index use more of it")]
mod fake;
mod index;
#[cfg(unix)]
mod kinds;
mod large;
mod lists;
mod models;
mod pictures;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a fixture in a folder of their own, to be damaged.
fn copy(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(repository().join("tests/fixtures").join(fixture)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}
