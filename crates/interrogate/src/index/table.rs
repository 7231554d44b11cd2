//! A table of an index: its shards of rows and its label file.
//!
//! Ranking is defined in `merged`; the scan and the tie rule are in `rank`.

use std::path::{Path, PathBuf};

use half::f16;
use rayon::prelude::*;

use super::labels::LabelFile;
use super::manifest::{FileEntry, TableEntry};
use super::shard::Shard;
#[cfg(doc)]
use crate::error::IndexError;
use crate::limits::LABEL_FILE;
use crate::mmap::Mmap;
use crate::rank::Block;
use crate::rank::device::DeviceRanker;
use crate::{Error, Result};

/// Bytes of a shard that one read covers: the header, which has about six hundred.
const HEADER_BYTES: usize = 1024;

/// Shards that a thread opens at least: each takes about ten microseconds.
const SHARDS_PER_TASK: usize = 64;

/// One table of an index, memory-mapped.
///
/// ```
/// use interrogate::encoder::Features;
/// use interrogate::index::Index;
///
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/index-v1-codes");
/// let index = Index::open(folder.as_ref())?;
/// let table = index.table("mediums")?;
/// let labels: Vec<&str> = table.labels().collect::<Result<_, _>>()?;
/// assert_eq!(labels, ["oil painting", "a photo"]);
///
/// let image = Features::new(vec![0.5; table.dim()])?;
/// for found in table.rank(&image, 1)? {
///     println!("{} {:.3}", found.label, found.score);
/// }
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Debug)]
pub struct Table {
    entry: TableEntry,
    dim: usize,
    labels: LabelFile,
    shards: Vec<Shard<Mmap>>,
    /// The device that ranks it, if not the CPU.
    ranker: Option<DeviceRanker>,
}

impl Table {
    /// Maps the files that `entry` names in `folder`; checks their sizes and headers.
    pub(super) fn open(folder: &Path, dim: usize, entry: &TableEntry) -> Result<Self> {
        let path = folder.join(entry.labels_name());
        let FileEntry { bytes, sha256 } = entry.label_file;
        if bytes > LABEL_FILE {
            let expected = format!("at most {LABEL_FILE} bytes");
            return Err(Error::damaged(&path, "size", expected, bytes));
        }
        let (map, _) = map_file(&path, bytes, &mut [])?;
        let labels = LabelFile::new(path, map, sha256)?;
        if labels.len() != entry.labels {
            return Err(Error::damaged(labels.path(), "labels", entry.labels, labels.len()));
        }
        let open_shard = |(name, wanted): (String, &super::manifest::ShardEntry)| {
            let path = folder.join(name);
            let mut buffer = [0; HEADER_BYTES];
            let (bytes, first) = map_file(&path, wanted.bytes, &mut buffer)?;
            let shard = Shard::open_with_prefix(&path, first, bytes)?;
            let (expected, found) = ((wanted.rows, dim), (shard.len(), shard.dim()));
            if found != expected {
                let [expected, found] = [expected, found].map(|shape| format!("{shape:?}"));
                return Err(Error::damaged(&path, "shape of embeds", expected, found));
            }
            Ok(shard)
        };
        let shards: Vec<_> = entry.shard_names().zip(&entry.shards).collect();
        // Reports the first error in the order of the shards, not of the threads.
        let opened: Vec<Result<_>> =
            shards.into_par_iter().with_min_len(SHARDS_PER_TASK).map(open_shard).collect();
        let shards = opened.into_iter().collect::<Result<_>>()?;
        Ok(Table { entry: entry.clone(), dim, labels, shards, ranker: None })
    }

    /// Returns the table's name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Returns the number of labels, which is that of rows.
    pub fn len(&self) -> usize {
        self.entry.labels
    }

    /// Whether the table has no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the number of labels in a prompt, or `None` if the prompt decides.
    pub fn top(&self) -> Option<u32> {
        self.entry.top
    }

    /// Returns the label of `row`. The first call reads the label file into memory and
    /// verifies its checksum.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if the file does not match its checksum or has no such row.
    pub fn label(&self, row: usize) -> Result<&str> {
        self.labels.labels()?.get(row)
    }

    /// Iterates over the labels in the order of the rows; see [`label`](Self::label).
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Result<&str>> {
        (0..self.len()).map(|row| self.label(row))
    }

    /// Returns the path of the shard that contains `row`, and the row's number in it.
    pub(super) fn shard_of(&self, mut row: usize) -> Option<(PathBuf, usize)> {
        for (entry, name) in self.entry.shards.iter().zip(self.entry.shard_names()) {
            if row < entry.rows {
                return Some((self.labels.path().with_file_name(name), row));
            }
            row -= entry.rows;
        }
        None
    }

    /// Returns the rows (rows, dim) of each shard, in order, without copying.
    pub fn rows(&self) -> Vec<&[f16]> {
        self.shards.iter().map(Shard::rows).collect()
    }

    /// Iterates over the rows and codes of each shard.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.shards.iter().map(|shard| Block { rows: shard.rows(), codes: shard.codes() })
    }

    /// Whether every row has quantized codes, which make rankings faster.
    pub fn is_coded(&self) -> bool {
        self.shards.iter().all(|shard| shard.codes().is_some())
    }

    pub(super) fn set_ranker(&mut self, ranker: Option<DeviceRanker>) {
        self.ranker = ranker;
    }

    pub(super) fn ranker(&self) -> Option<&DeviceRanker> {
        self.ranker.as_ref()
    }

    pub(super) fn entry(&self) -> &TableEntry {
        &self.entry
    }

    pub(super) fn label_file(&self) -> &LabelFile {
        &self.labels
    }

    pub(super) fn shards(&self) -> &[Shard<Mmap>] {
        &self.shards
    }
}

/// Maps a file that must have `bytes` bytes, and reads its start into `start`.
fn map_file<'a>(path: &Path, bytes: u64, start: &'a mut [u8]) -> Result<(Mmap, &'a [u8])> {
    let (map, start) = Mmap::open_with_start(path, start).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::damaged(path, "file", "the one that manifest.json names", "none")
        }
        other => other,
    })?;
    let found = map.as_ref().len() as u64;
    if found == bytes { Ok((map, start)) } else { Err(Error::damaged(path, "size", bytes, found)) }
}
