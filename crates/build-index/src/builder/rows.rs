//! The rows of labels, wherever they are.

use half::f16;
use interrogate::index::Index;
use interrogate::mmap::Mmap;
use zerocopy::IntoBytes;

use super::locations::{Location, Locations};
use crate::cache::Cache;

/// The rows of labels: f16, little-endian.
pub(super) struct Rows<'a> {
    locations: &'a Locations<'a>,
    /// The offset of each journal, and the journal.
    journals: Vec<(u64, &'a [u8])>,
    /// The number of the first row of each shard of the previous index, and the shard.
    shards: Vec<(u64, &'a [f16])>,
    caches: &'a [Cache],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `dim` values at `locations` in the previous index, the journals, whose
    /// offsets follow each other, and the caches.
    pub(super) fn new(
        locations: &'a Locations<'a>,
        index: Option<&'a Index>,
        journals: &'a [Mmap],
        caches: &'a [Cache],
        dim: usize,
    ) -> Self {
        let shards = index.into_iter().flat_map(Index::tables).flat_map(|table| table.rows());
        let shards = starts(shards.map(|values| (values, values.len() / dim.max(1))));
        let journals = journals.iter().map(AsRef::as_ref);
        let journals = starts(journals.map(|bytes: &[u8]| (bytes, bytes.len())));
        Rows { locations, journals, shards, caches, dim }
    }

    /// Returns the row of `label` in `table`, if there is one. Where caches differ, a table
    /// gets the row of its own cache.
    pub(super) fn get(&self, table: &str, label: &str) -> Option<&'a [u8]> {
        let own = self.caches.iter().find(|cache| cache.table() == table);
        if let Some(row) = own.and_then(|cache| cache.row(label)) {
            return Some(row);
        }
        match self.locations.get(label)? {
            Location::Cache => self.caches.iter().find_map(|cache| cache.row(label)),
            Location::Journal(offset) => {
                let (journal, start) = at(&self.journals, offset)?;
                journal.get(start..)?.get(..self.dim * 2)
            }
            Location::Index(row) => {
                let (values, row) = at(&self.shards, row)?;
                let start = row.checked_mul(self.dim)?;
                Some(values.get(start..)?.get(..self.dim)?.as_bytes())
            }
        }
    }
}

/// Returns each item after the number at which it starts, where items follow each other.
/// With each item comes its length.
fn starts<T>(items: impl Iterator<Item = (T, usize)>) -> Vec<(u64, T)> {
    let mut start = 0;
    let with_start = |(item, length)| {
        let item = (start, item);
        start += length as u64;
        item
    };
    items.map(with_start).collect()
}

/// Returns the item in which `number` is, and where in it.
fn at<T: Copy>(items: &[(u64, T)], number: u64) -> Option<(T, usize)> {
    let at = items.partition_point(|&(start, _)| start <= number).checked_sub(1)?;
    let (start, item) = *items.get(at)?;
    Some((item, usize::try_from(number - start).ok()?))
}
