//! What a build did.

use std::path::PathBuf;
use std::time::Duration;

use interrogate::index::TableEntry;

use crate::lock::LockOwner;

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
