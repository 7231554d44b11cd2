//! What a build did.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interrogate::index::{Manifest, TableEntry};

use crate::lock::{Lock, LockOwner};
use crate::part::PartNumber;

/// The result of one build.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The index's folder.
    pub folder: PathBuf,
    /// The model's id.
    pub model: String,
    /// The index's tables, by name.
    pub tables: Vec<TableReport>,
    /// Labels of all tables.
    pub labels: usize,
    /// Labels that were encoded, each counted once however many tables hold it.
    pub encoded: usize,
    /// Labels whose rows were in the journal of an earlier, unfinished build.
    pub resumed: usize,
    /// Labels whose rows were in the previous index.
    pub reused: usize,
    /// Labels whose rows were in caches of clip-interrogator.
    pub imported: usize,
    /// Labels whose rows were in parts.
    pub merged: usize,
    /// Rows in these caches of repeated labels that differ from the first row of the
    /// label. The index does not hold them.
    pub differing: usize,
    /// Tokens of the labels that were encoded.
    pub tokens: usize,
    /// Size of the index's files.
    pub bytes: u64,
    /// How long the build took.
    pub elapsed: Duration,
    /// The build that was killed while it held the lock, where there was one.
    pub killed_build: Option<LockOwner>,
    /// Why the previous index could not be used, where there was one.
    pub discarded: Option<interrogate::Error>,
    /// Errors of rows from an earlier, unfinished build that could not be used. Their
    /// labels were encoded again.
    pub refused: Vec<interrogate::Error>,
}

impl Report {
    /// Returns the report of an index of `bytes` bytes, without the rows' origins.
    pub(crate) fn new(
        folder: &Path,
        manifest: &Manifest,
        bytes: u64,
        lock: &Lock,
        start: Instant,
    ) -> Self {
        Report {
            folder: folder.to_owned(),
            model: manifest.model().id.clone(),
            tables: manifest.tables().iter().map(TableReport::of).collect(),
            labels: manifest.tables().iter().map(|table| table.labels).sum(),
            encoded: 0,
            resumed: 0,
            reused: 0,
            imported: 0,
            merged: 0,
            differing: 0,
            tokens: 0,
            bytes,
            elapsed: start.elapsed(),
            killed_build: lock.previous_owner().cloned(),
            discarded: None,
            refused: Vec::new(),
        }
    }
}

/// The result of encoding one part of a build.
#[derive(Debug)]
#[non_exhaustive]
pub struct PartReport {
    /// The part's folder.
    pub folder: PathBuf,
    /// The model's id.
    pub model: String,
    /// Which part it is.
    pub part: PartNumber,
    /// Distinct labels of all parts.
    pub distinct: usize,
    /// Labels that were encoded.
    pub encoded: usize,
    /// Labels whose rows were in the part already.
    pub resumed: usize,
    /// Tokens of the labels that were encoded.
    pub tokens: usize,
    /// Size of the part's rows and labels.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The build of the part that was killed, where there was one.
    pub killed_build: Option<LockOwner>,
    /// Errors of rows from an unfinished build of the part that could not be used. Their
    /// labels were encoded again.
    pub refused: Vec<interrogate::Error>,
}

/// One table of a [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// The table's name.
    pub name: String,
    /// Number of labels.
    pub labels: usize,
    /// Number of shards.
    pub shards: usize,
}

impl TableReport {
    pub(crate) fn of(entry: &TableEntry) -> Self {
        TableReport { name: entry.name.clone(), labels: entry.labels, shards: entry.shards.len() }
    }
}
