//! Where the row of each label is.

use interrogate::index::Index;

use super::probe::step;
use crate::Result;
use crate::cache::Cache;
use crate::vocabulary::Vocabulary;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In a cache.
    Cache,
    /// In a journal, at this offset; the offsets of several follow each other.
    Journal(u64),
    /// In the previous index: the row's number through all tables.
    Index(u64),
}

/// The location of each label's row. Memory: eight bytes a label.
pub(super) struct Locations<'a> {
    vocabulary: &'a Vocabulary<'a>,
    /// By the label's number, as [`pack`] makes it.
    packed: Vec<u64>,
}

/// No row yet.
const NONE: u64 = u64::MAX;

/// A row in a cache.
const CACHE: u64 = NONE - 1;

/// The bit of offsets in the journal; the other values are rows of the index.
const JOURNAL: u64 = 1 << 63;

fn pack(location: Location) -> u64 {
    match location {
        Location::Cache => CACHE,
        Location::Journal(offset) => JOURNAL | offset,
        Location::Index(row) => row,
    }
}

fn unpack(packed: u64) -> Option<Location> {
    match packed {
        NONE => None,
        CACHE => Some(Location::Cache),
        packed if packed & JOURNAL != 0 => Some(Location::Journal(packed & !JOURNAL)),
        row => Some(Location::Index(row)),
    }
}

impl<'a> Locations<'a> {
    /// Returns locations of no row.
    pub(super) fn new(vocabulary: &'a Vocabulary<'a>) -> Self {
        Locations { vocabulary, packed: vec![NONE; vocabulary.len()] }
    }

    /// The location of the row of `label`, if there is one.
    pub(super) fn get(&self, label: &str) -> Option<Location> {
        unpack(self.packed[self.vocabulary.number(label)? as usize])
    }

    /// Returns for each number whether its label has a row.
    pub(super) fn known(&self) -> Vec<bool> {
        self.packed.iter().map(|packed| *packed != NONE).collect()
    }

    /// Whether the label of this number has a row.
    pub(super) fn contains(&self, number: u32) -> bool {
        self.packed[number as usize] != NONE
    }

    /// Adds the rows of the previous index.
    pub(super) fn add_index(&mut self, index: &Index) -> Result<()> {
        let mut row = 0;
        for table in index.tables() {
            for label in table.labels() {
                self.set(label?, Location::Index(row));
                row += 1;
            }
        }
        Ok(())
    }

    /// Adds the rows of caches, in place of others. Returns the number of labels that
    /// have one.
    pub(super) fn add_caches(&mut self, caches: &[Cache]) -> usize {
        let mut count = 0;
        for number in self.vocabulary.numbers() {
            let label = self.vocabulary.label(number);
            if caches.iter().any(|cache| cache.row(label).is_some()) {
                self.packed[number as usize] = CACHE;
                count += 1;
            }
        }
        count
    }

    /// Adds the row of `label` at an offset of the journal, if a dictionary has the label.
    pub(super) fn add_journaled(&mut self, label: &str, offset: u64) {
        self.set(label, Location::Journal(offset));
    }

    /// Adds the row of `label` at an offset of a part's journal.
    ///
    /// # Errors
    /// What is wrong, if no dictionary has the label, or it has a row already.
    pub(super) fn add_part(&mut self, label: &str, offset: u64) -> Result<(), &'static str> {
        let number = self.vocabulary.number(label).ok_or("no label of the dictionaries")?;
        let packed = &mut self.packed[number as usize];
        if *packed != NONE {
            return Err("a label of another block");
        }
        *packed = pack(Location::Journal(offset));
        Ok(())
    }

    /// Returns a sample of the labels whose rows are in the journal, with the offsets.
    pub(super) fn journal_sample(&self) -> Vec<(&'a str, u64)> {
        let journaled = || {
            self.vocabulary.numbers().filter_map(|number| {
                match unpack(self.packed[number as usize]) {
                    Some(Location::Journal(offset)) => Some((number, offset)),
                    _ => None,
                }
            })
        };
        let sample = journaled().step_by(step(journaled().count()));
        sample.map(|(number, offset)| (self.vocabulary.label(number), offset)).collect()
    }

    /// Removes the rows in the journal.
    pub(super) fn remove_journaled(&mut self) {
        for packed in &mut self.packed {
            if let Some(Location::Journal(_)) = unpack(*packed) {
                *packed = NONE;
            }
        }
    }

    fn set(&mut self, label: &str, location: Location) {
        if let Some(number) = self.vocabulary.number(label) {
            self.packed[number as usize] = pack(location);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Dictionary;

    #[test]
    fn locations_are_packed_and_unpacked() {
        for location in [Location::Cache, Location::Journal(40), Location::Index(7)] {
            assert_eq!(unpack(pack(location)), Some(location));
        }
        assert_eq!(unpack(NONE), None);
    }

    #[test]
    fn journal_sample_covers_the_journal_and_is_removed_with_it() {
        let text: String = (0..100).map(|n| format!("{n}\n")).collect();
        let dictionaries = [Dictionary::parse(Path::new("a.txt"), text.as_bytes()).unwrap()];
        let vocabulary = Vocabulary::new(&dictionaries).unwrap();
        let mut locations = Locations::new(&vocabulary);
        (20..100).for_each(|n| locations.add_journaled(&n.to_string(), n));
        locations.add_journaled("no label", 5);
        let sample = locations.journal_sample();
        assert_eq!(sample.len(), 8);
        assert_eq!((sample[0], sample[7]), (("20", 20), ("90", 90)));
        locations.remove_journaled();
        assert!(locations.journal_sample().is_empty() && locations.get("20").is_none());
    }
}
