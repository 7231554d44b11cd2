//! Where the row of each label lies, and the rows.

use half::f16;
use interrogate::index::Index;
use interrogate::mmap::Mmap;
use zerocopy::IntoBytes;

use super::probe::step;
use crate::Result;
use crate::cache::Cache;
use crate::vocabulary::Vocabulary;

/// Where the row of each label lies: eight bytes a label.
pub(super) struct Places<'a> {
    vocabulary: &'a Vocabulary<'a>,
    places: Vec<u64>,
}

/// No row yet.
const NONE: u64 = u64::MAX;

/// Some cache has the row.
const CACHE: u64 = NONE - 1;

/// Set where a place is a byte of the journal; the others are rows of the index
/// that stands, numbered through its tables.
const JOURNAL: u64 = 1 << 63;

impl<'a> Places<'a> {
    /// No label has a row.
    pub(super) fn new(vocabulary: &'a Vocabulary<'a>) -> Self {
        Places { vocabulary, places: vec![NONE; vocabulary.len()] }
    }

    /// Whether there is a row for the label of this number.
    pub(super) fn has(&self, number: u32) -> bool {
        self.places[number as usize] != NONE
    }

    /// The rows of an index that stands, to be kept.
    pub(super) fn keep(&mut self, index: &Index) -> Result<()> {
        let mut row = 0;
        for table in index.tables() {
            for label in table.labels() {
                self.set(label?, row);
                row += 1;
            }
        }
        Ok(())
    }

    /// The rows of caches, in place of others. Returns how many labels have one.
    pub(super) fn cached(&mut self, caches: &[Cache]) -> usize {
        let mut cached = 0;
        for number in self.vocabulary.numbers() {
            let label = self.vocabulary.label(number);
            if caches.iter().any(|cache| cache.row(label).is_some()) {
                self.places[number as usize] = CACHE;
                cached += 1;
            }
        }
        cached
    }

    /// The row of `label`, if that is asked for, lies at a byte of the journal.
    pub(super) fn journaled(&mut self, label: &str, at: u64) {
        self.set(label, JOURNAL | at);
    }

    /// Labels whose rows lie in the journal, some of them throughout it, with the
    /// byte of each.
    pub(super) fn journaled_sample(&self) -> Vec<(&'a str, u64)> {
        let in_journal = |place: &u64| *place < CACHE && place & JOURNAL != 0;
        let step = step(self.places.iter().filter(|place| in_journal(place)).count());
        let all = self.vocabulary.numbers().map(|number| (number, self.places[number as usize]));
        let sample = all.filter(|(_, place)| in_journal(place)).step_by(step);
        sample.map(|(number, place)| (self.vocabulary.label(number), place & !JOURNAL)).collect()
    }

    /// Forgets the rows that lie in the journal.
    pub(super) fn forget_journaled(&mut self) {
        let in_journal = |place: &&mut u64| **place < CACHE && **place & JOURNAL != 0;
        self.places.iter_mut().filter(in_journal).for_each(|place| *place = NONE);
    }

    fn set(&mut self, label: &str, place: u64) {
        if let Some(number) = self.vocabulary.number(label) {
            self.places[number as usize] = place;
        }
    }
}

/// The rows of labels, where they lie: f16, lowest byte first.
pub(super) struct Rows<'a> {
    places: &'a Places<'a>,
    journal: &'a [u8],
    /// The shards of the index that stands, and the number of the first row of each.
    kept: Vec<(u64, &'a [f16])>,
    caches: &'a [Cache],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `dim` values that `places` tells of, in the index that stands,
    /// in the journal, and in caches.
    pub(super) fn new(
        places: &'a Places<'a>,
        index: Option<&'a Index>,
        journal: Option<&'a Mmap>,
        caches: &'a [Cache],
        dim: usize,
    ) -> Self {
        let mut first = 0;
        let shards = index.into_iter().flat_map(Index::tables).flat_map(|table| table.rows());
        let kept = shards.map(|values| {
            let shard = (first, values);
            first += (values.len() / dim.max(1)) as u64;
            shard
        });
        let kept = kept.collect();
        Rows { places, journal: journal.map_or(&[], |map| map.as_ref()), kept, caches, dim }
    }

    /// The row of `label` in `table`, if there is one. A table that has a cache gets
    /// what that one says, bit for bit, where caches disagree.
    pub(super) fn get(&self, table: &str, label: &str) -> Option<&'a [u8]> {
        let own = self.caches.iter().find(|cache| cache.table() == table);
        if let Some(row) = own.and_then(|cache| cache.row(label)) {
            return Some(row);
        }
        let number = self.places.vocabulary.number(label)?;
        match self.places.places[number as usize] {
            NONE => None,
            CACHE => self.caches.iter().find_map(|cache| cache.row(label)),
            place if place & JOURNAL != 0 => {
                let start = usize::try_from(place & !JOURNAL).ok()?;
                self.journal.get(start..)?.get(..self.dim * 2)
            }
            row => {
                let at = self.kept.partition_point(|&(first, _)| first <= row).checked_sub(1)?;
                let (first, values) = *self.kept.get(at)?;
                let start = usize::try_from(row - first).ok()?.checked_mul(self.dim)?;
                Some(values.get(start..)?.get(..self.dim)?.as_bytes())
            }
        }
    }
}
