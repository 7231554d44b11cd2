//! Tables from dictionaries and the rows of their labels.

use std::ops::ControlFlow;
use std::path::Path;

use half::f16;
use interrogate::index::format::shard_name;
use interrogate::index::{Digest, ShardEntry, TableEntry};
use zerocopy::IntoBytes;

use super::Progress;
use super::rows::Rows;
use crate::dictionary::Chunk;
use crate::writer::{write_labels, write_shard};
use crate::{Dictionary, Error, Result};

/// Where tables are written, and in what shape.
pub(super) struct Tables<'a> {
    pub(super) folder: &'a Path,
    pub(super) dim: usize,
    pub(super) shard_rows: usize,
}

impl Tables<'_> {
    /// Writes shards and labels of a table for each dictionary.
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
            let lost = || Error::RowLost { label: label.to_owned() };
            values.as_mut_bytes().copy_from_slice(rows.get(table, label).ok_or_else(lost)?);
        }
        let name = |sha256: &_| shard_name(table, number, count, sha256);
        write_shard(self.folder, self.dim, &values, name)
    }
}
