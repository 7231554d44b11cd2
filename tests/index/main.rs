//! The index from end to end: from dictionaries to files to rankings.
//!
//! Rows come from `fake`, not from a model. One file per subject.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, not in their helpers")]

mod build;
mod cache;
mod command;
mod damage;
#[cfg(unix)]
#[path = "../default_signals.rs"]
mod default_signals;
mod dicts;
mod fake;
mod fixture;
mod golden;
mod maps;
mod modes;
mod partitions;
mod parts;
mod rank;
mod resume;
#[path = "../user_folders.rs"]
mod user_folders;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use build_index::{Builder, Dictionary, Report, Result};
use fake::Fake;
use interrogate::encoder::{Features, TextEncoder};

/// A dictionary of these lines.
fn dictionary(name: &str, labels: &[impl AsRef<str>]) -> Dictionary {
    let lines: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
    Dictionary::parse(Path::new(name), lines.join("\n").as_bytes()).unwrap()
}

/// `count` labels of unequal length.
fn labels(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("label {}{n}", "x".repeat(n % 7))).collect()
}

/// Features that equal the embedding of `label`.
fn features(fake: &Fake, label: &str) -> Features {
    Features::new(fake.encode(&[label]).unwrap().as_slice().to_vec()).unwrap()
}

/// A builder of small blocks and shards.
fn builder(fake: &Fake) -> Builder<'_> {
    Builder::new(fake, "fake", "f1").block(16).shard_rows(40)
}

/// Builds to the end.
fn build(builder: &Builder<'_>, dictionaries: &[Dictionary], folder: &Path) -> Result<Report> {
    builder.build(dictionaries, folder, |_| ControlFlow::Continue(()))
}

/// Every file of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}
