//! Every reader on truncated, changed, swapped and extended files: an error or a result in
//! bounded time and memory, never a panic.
//!
//! The allocator counts for the whole process, so that tests run one at a time
//! ([`mutation`]) and have their own binary. Readers without a path (zip and pickle, a
//! shard's header, a template) have such tests beside their code, and fuzz/ has a target
//! for each.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

#[path = "../allocator.rs"]
#[allow(dead_code, reason = "the hostile images use more of it")]
mod allocator;
mod captions;
mod circles;
#[path = "../index/fake.rs"]
#[allow(dead_code, reason = "the tests of the index use more of it")]
mod fake;
mod index;
mod large;
mod lists;
mod models;
mod mutation;
mod pictures;
mod sources;
#[cfg(unix)]
mod special_files;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The path of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Copies a fixture to a temporary folder.
fn copy(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(repository().join("tests/fixtures").join(fixture)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}
