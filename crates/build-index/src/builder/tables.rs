//! Writes the tables of an index.

use std::ops::ControlFlow;
use std::path::Path;

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::format::{is_unit, shard_name, square};
use interrogate::index::{Digest, ShardEntry, TableEntry};
use zerocopy::IntoBytes;

use super::Progress;
use super::rows::Rows;
use crate::dictionary::Chunk;
use crate::writer::{write_labels, write_shard};
use crate::{Dictionary, Error, Result};

/// The folder and shape of the tables.
pub(super) struct Tables<'a> {
    pub(super) folder: &'a Path,
    pub(super) dim: usize,
    pub(super) shard_rows: usize,
}

impl Tables<'_> {
    /// Writes the shards and the label file of each dictionary's table.
    pub(super) fn write(
        &self,
        dictionaries: &[Dictionary],
        rows: &Rows<'_>,
        progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<TableEntry>> {
        let total = dictionaries.iter().map(|dictionary| dictionary.labels().len()).sum();
        let mut written = 0;
        let mut tables = Vec::new();
        for dictionary in dictionaries {
            let (name, labels) = (dictionary.table(), dictionary.labels());
            let count = labels.len().div_ceil(self.shard_rows);
            let mut shards = Vec::new();
            for (number, labels) in labels.chunks(self.shard_rows).enumerate() {
                shards.push(self.write_shard(name, (number, count), &labels, rows)?);
                written += labels.len();
                if progress(Progress::Writing { rows: written, total }).is_break() {
                    return Err(Error::Stopped { done: total, total });
                }
            }
            tables.push(TableEntry {
                name: name.to_owned(),
                labels: labels.len(),
                top: dictionary.top(),
                dictionary: Digest::of_labels(labels.iter()),
                label_file: write_labels(self.folder, name, labels)?,
                shards,
            });
        }
        Ok(tables)
    }

    fn write_shard(
        &self,
        table: &str,
        (number, count): (usize, usize),
        labels: &Chunk<'_>,
        rows: &Rows<'_>,
    ) -> Result<ShardEntry> {
        let mut values = vec![f16::ZERO; labels.len() * self.dim];
        for (label, values) in labels.iter().zip(values.chunks_exact_mut(self.dim)) {
            let missing = || Error::RowMissing { label: label.to_owned() };
            values.as_mut_bytes().copy_from_slice(rows.get(table, label).ok_or_else(missing)?);
            // Check the copy: the source may have changed since it was checked.
            let square = square(values);
            if !is_unit(square) {
                let found = format!("length {} for {label:?}", square.sqrt());
                return Err(LibraryError::mismatch(self.folder, "rows", "unit length", found))?;
            }
        }
        let name = |sha256: &_| shard_name(table, number, count, sha256);
        write_shard(self.folder, self.dim, &values, name)
    }
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
            let map = Mmap::open(&path).unwrap();
            let rows = Rows::new(&locations, None, Some(&map), &[], 2);
            let tables = Tables { folder: folder.path(), dim: 2, shard_rows: 8 };
            let error = tables.write(&dictionaries, &rows, &mut |_| Continue(())).unwrap_err();
            let tail = format!("rows: expected unit length, found length {length} for \"x\"");
            assert!(error.to_string().ends_with(&tail), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written");
        }
    }
}
