//! Writes the tables of an index.

use std::ops::ControlFlow;
use std::path::Path;

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::format::{is_unit, shard_name, square};
use interrogate::index::{Digest, Manifest, ModelEntry, ShardEntry, TableEntry};
use rayon::prelude::*;
use zerocopy::IntoBytes;

use super::Progress;
use super::pipeline::pipeline;
use super::rows::Rows;
use crate::dictionary::Chunk;
use crate::writer::{write_labels, write_manifest, write_shard};
use crate::{Dictionary, Error, Result};

/// The most shards that are written at a time; each is in memory. While one waits for the disk,
/// others are hashed.
const SHARDS: usize = 4;

/// Rows that a thread copies in one task, at least.
const ROWS: usize = 256;

/// The folder and shape of the tables.
pub(super) struct Tables<'a> {
    pub(super) folder: &'a Path,
    pub(super) dim: usize,
    pub(super) shard_rows: usize,
}

impl Tables<'_> {
    /// Writes the index of `dictionaries`: shards, label files and, when they are complete, the
    /// manifest. Returns the manifest, and the size of all files.
    pub(super) fn write_index(
        &self,
        model: ModelEntry,
        dictionaries: &[Dictionary],
        rows: &Rows<'_>,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(Manifest, u64)> {
        let manifest = Manifest::new(model, self.dim, self.write(dictionaries, rows, progress)?);
        let bytes = write_manifest(self.folder, &manifest)?;
        let bytes =
            manifest.tables().iter().map(TableEntry::bytes).fold(bytes, u64::saturating_add);
        Ok((manifest, bytes))
    }

    /// Writes the shards and the label file of each dictionary's table.
    fn write(
        &self,
        dictionaries: &[Dictionary],
        rows: &Rows<'_>,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<TableEntry>> {
        let total = dictionaries.iter().map(|dictionary| dictionary.labels().len()).sum();
        let count = |dictionary: &Dictionary| dictionary.labels().len().div_ceil(self.shard_rows);
        let shards = dictionaries.iter().enumerate().flat_map(|(table, dictionary)| {
            let chunks = dictionary.labels().chunks(self.shard_rows).enumerate();
            chunks.map(move |(number, labels)| (table, number, labels))
        });
        let work = |(table, number, labels): (usize, usize, Chunk<'_>)| {
            let dictionary = &dictionaries[table];
            let place = (number, count(dictionary));
            Ok((table, number, self.write_shard(dictionary.table(), place, &labels, rows)?))
        };
        let mut written: Vec<Vec<Option<ShardEntry>>> =
            dictionaries.iter().map(|dictionary| vec![None; count(dictionary)]).collect();
        let (mut done, mut stopped) = (0, false);
        let add = |(table, number, shard): (usize, usize, ShardEntry)| {
            done += shard.rows;
            written[table][number] = Some(shard);
            stopped |= progress(Progress::Writing { rows: done, total }).is_break();
            Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        pipeline(threads(), shards, work, add)?;
        if stopped {
            return Err(Error::Stopped { done: total, total });
        }
        let table = |(dictionary, shards): (&Dictionary, Vec<Option<ShardEntry>>)| {
            let (name, labels) = (dictionary.table(), dictionary.labels());
            Ok(TableEntry {
                name: name.to_owned(),
                labels: labels.len(),
                top: dictionary.top(),
                dictionary: Digest::of_labels(labels.iter()),
                label_file: write_labels(self.folder, name, labels)?,
                shards: shards.into_iter().flatten().collect(),
            })
        };
        let tables: Vec<_> = dictionaries.iter().zip(written).collect();
        tables.into_par_iter().map(table).collect()
    }

    fn write_shard(
        &self,
        table: &str,
        (number, count): (usize, usize),
        labels: &Chunk<'_>,
        rows: &Rows<'_>,
    ) -> Result<ShardEntry> {
        let mut values = vec![f16::ZERO; labels.len() * self.dim];
        let labels: Vec<&str> = labels.iter().collect();
        let copies = values.par_chunks_exact_mut(self.dim).zip(&labels).with_min_len(ROWS);
        let failed = copies.find_map_first(|(to, label)| self.copy(table, label, rows, to).err());
        failed.map_or(Ok(()), Err)?;
        let name = |sha256: &_| shard_name(table, number, count, sha256);
        write_shard(self.folder, self.dim, &values, name)
    }

    /// Copies the row of `label`.
    fn copy(&self, table: &str, label: &str, rows: &Rows<'_>, to: &mut [f16]) -> Result<()> {
        let missing = || Error::RowMissing { label: label.to_owned() };
        to.as_mut_bytes().copy_from_slice(rows.get(table, label).ok_or_else(missing)?);
        // Check the copy: the source may have changed since it was checked.
        let square = square(to);
        if is_unit(square) {
            return Ok(());
        }
        let found = format!("length {} for {label:?}", square.sqrt());
        Err(LibraryError::mismatch(self.folder, "rows", "unit length", found))?
    }
}

/// Returns the shards that are written at a time.
fn threads() -> usize {
    rayon::current_num_threads().min(SHARDS)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow::Continue;

    use interrogate::mmap::Mmap;

    use super::super::locations::Locations;
    use super::*;
    use crate::vocabulary::Vocabulary;

    /// As where a row changes after it was checked.
    #[test]
    fn row_that_is_not_of_unit_length_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let dictionaries = [Dictionary::parse(Path::new("a.txt"), b"x").unwrap()];
        let vocabulary = Vocabulary::new(&dictionaries).unwrap();
        let mut locations = Locations::new(&vocabulary);
        locations.add_journaled("x", 0);
        for (bad, length) in [(f16::NAN, "NaN"), (f16::INFINITY, "inf"), (f16::ZERO, "0")] {
            let path = folder.path().join("journal");
            std::fs::write(&path, [bad, f16::ZERO].as_bytes()).unwrap();
            let map = [Mmap::open(&path).unwrap()];
            let rows = Rows::new(&locations, None, &map, &[], 2);
            let tables = Tables { folder: folder.path(), dim: 2, shard_rows: 8 };
            let error = tables.write(&dictionaries, &rows, &mut |_| Continue(())).unwrap_err();
            let tail = format!("rows: expected unit length, found length {length} for \"x\"");
            assert!(error.to_string().ends_with(&tail), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written");
        }
    }
}
