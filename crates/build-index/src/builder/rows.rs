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
    journal: &'a [u8],
    /// The number of the first row of each shard of the previous index, and the shard.
    shards: Vec<(u64, &'a [f16])>,
    caches: &'a [Cache],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `dim` values at `locations` in the previous index, the journal and the
    /// caches.
    pub(super) fn new(
        locations: &'a Locations<'a>,
        index: Option<&'a Index>,
        journal: Option<&'a Mmap>,
        caches: &'a [Cache],
        dim: usize,
    ) -> Self {
        let mut first = 0;
        let shards = index.into_iter().flat_map(Index::tables).flat_map(|table| table.rows());
        let shards = shards.map(|values| {
            let shard = (first, values);
            first += (values.len() / dim.max(1)) as u64;
            shard
        });
        let shards = shards.collect();
        Rows { locations, journal: journal.map_or(&[], |map| map.as_ref()), shards, caches, dim }
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
                let start = usize::try_from(offset).ok()?;
                self.journal.get(start..)?.get(..self.dim * 2)
            }
            Location::Index(row) => {
                let at = self.shards.partition_point(|&(first, _)| first <= row).checked_sub(1)?;
                let (first, values) = *self.shards.get(at)?;
                let start = usize::try_from(row - first).ok()?.checked_mul(self.dim)?;
                Some(values.get(start..)?.get(..self.dim)?.as_bytes())
            }
        }
    }
}
