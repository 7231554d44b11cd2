//! A table: labels and their rows, ranked against an image.
//!
//! It joins one table's shards and labels and gives hits their names. The scan
//! and the tie rule are `rank`'s.

use std::path::{Path, PathBuf};

use half::f16;
use rayon::prelude::*;

use super::labels::LabelFile;
use super::manifest::{FileEntry, TableEntry};
use super::shard::Shard;
use crate::limits::LABEL_FILE;
use crate::mmap::Mmap;
use crate::rank::Block;
use crate::rank::device::Place;
use crate::{Error, Result};

/// Bytes of a shard that are read at once: its header, which has some six hundred.
const HEADER_BYTES: usize = 1024;

/// A thread opens so many shards at least: each takes some ten microseconds.
const SHARDS_PER_TASK: usize = 64;

/// One table of an index, mapped.
#[derive(Debug)]
pub struct Table {
    entry: TableEntry,
    dim: usize,
    labels: LabelFile,
    shards: Vec<Shard<Mmap>>,
    /// Where it is ranked, if not on the processor.
    place: Option<Place>,
}

impl Table {
    /// Maps the files that `entry` names in `folder` and checks their sizes and
    /// headers against it.
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
            let mut room = [0; HEADER_BYTES];
            let (bytes, first) = map_file(&path, wanted.bytes, &mut room)?;
            let shard = Shard::open_with_prefix(&path, first, bytes)?;
            let (expected, found) = ((wanted.rows, dim), (shard.len(), shard.dim()));
            if found != expected {
                let [expected, found] = [expected, found].map(|shape| format!("{shape:?}"));
                return Err(Error::damaged(&path, "shape of embeds", expected, found));
            }
            Ok(shard)
        };
        let shards: Vec<_> = entry.shard_names().zip(&entry.shards).collect();
        // The first error in the order of the shards, whichever thread was first.
        let opened: Vec<Result<_>> =
            shards.into_par_iter().with_min_len(SHARDS_PER_TASK).map(open_shard).collect();
        let shards = opened.into_iter().collect::<Result<_>>()?;
        Ok(Table { entry: entry.clone(), dim, labels, shards, place: None })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Number of labels, and of rows.
    pub fn len(&self) -> usize {
        self.entry.labels
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many of its labels a prompt takes; `None` where the prompt decides.
    pub fn top(&self) -> Option<u32> {
        self.entry.top
    }

    /// The label of `row`. The first label that is asked for reads the label file,
    /// compares it with its checksum and keeps it in memory.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`] where the file is not what the builder wrote, or there
    /// is no such row.
    pub fn label(&self, row: usize) -> Result<&str> {
        self.labels.labels()?.get(row)
    }

    /// The labels in the order of the rows; see [`label`](Self::label).
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Result<&str>> {
        (0..self.len()).map(|row| self.label(row))
    }

    /// The file of the shard that holds `row`, and the row's number in it.
    pub(super) fn shard_of(&self, mut row: usize) -> Option<(PathBuf, usize)> {
        for (entry, name) in self.entry.shards.iter().zip(self.entry.shard_names()) {
            if row < entry.rows {
                return Some((self.labels.path().with_file_name(name), row));
            }
            row -= entry.rows;
        }
        None
    }

    /// The rows (rows, dim) of each shard, in order, where they lie in the map.
    pub fn rows(&self) -> Vec<&[f16]> {
        self.shards.iter().map(Shard::rows).collect()
    }

    /// The same with their codes, ready to be ranked.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.shards.iter().map(|shard| Block { rows: shard.rows(), codes: shard.codes() })
    }

    /// Whether every row has codes, by which rankings are faster.
    pub fn is_coded(&self) -> bool {
        self.shards.iter().all(|shard| shard.codes().is_some())
    }

    pub(super) fn set_place(&mut self, place: Option<Place>) {
        self.place = place;
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
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

/// Maps a file that must have `bytes` bytes, and reads the first of them.
fn map_file<'a>(path: &Path, bytes: u64, start: &'a mut [u8]) -> Result<(Mmap, &'a [u8])> {
    let (map, start) = Mmap::open_reading(path, start).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::damaged(path, "file", "the one that manifest.json names", "none")
        }
        other => other,
    })?;
    let found = map.as_ref().len() as u64;
    if found == bytes { Ok((map, start)) } else { Err(Error::damaged(path, "size", bytes, found)) }
}
