//! The labels of all dictionaries, each known by a number.
//!
//! What a build must remember of a label is remembered by its number, an index
//! into some vector: a map of strings would cost ten times as much. The labels
//! stay where the dictionaries have them; the table of hashes holds numbers, and
//! whether two labels are equal is seen on their texts.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use interrogate::Error as LibraryError;

use crate::{Dictionary, Result};

/// The labels of dictionaries, numbered through them in order. A label that
/// comes again has the number of the first.
///
/// Memory: some 9 bytes a label, beside the dictionaries.
pub(crate) struct Vocabulary<'a> {
    dictionaries: &'a [Dictionary],
    /// The number of each dictionary's first label.
    starts: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// For each label whether it is the first of its kind.
    first: Vec<bool>,
}

impl<'a> Vocabulary<'a> {
    /// Numbers the labels of `dictionaries`.
    ///
    /// # Errors
    /// [`LibraryError::Mismatch`] where there are 2^32 or more.
    pub(crate) fn new(dictionaries: &'a [Dictionary]) -> Result<Self> {
        let (mut starts, mut count) = (Vec::new(), 0);
        for dictionary in dictionaries {
            starts.push(count);
            count += dictionary.labels().len();
            if u32::try_from(count).is_err() {
                let path = dictionary.path();
                return Err(LibraryError::mismatch(path, "labels", "fewer than 2^32", count))?;
            }
        }
        let mut vocabulary = Vocabulary {
            dictionaries,
            starts,
            numbers: HashTable::with_capacity(count),
            hasher: RandomState::new(),
            first: vec![false; count],
        };
        (0..count as u32).for_each(|number| vocabulary.insert(number)); // checked above
        Ok(vocabulary)
    }

    fn insert(&mut self, number: u32) {
        let text = Texts { dictionaries: self.dictionaries, starts: &self.starts };
        let hash = |number: u32| self.hasher.hash_one(text.of(number));
        let same = |&other: &u32| text.of(other) == text.of(number);
        if let Entry::Vacant(entry) = self.numbers.entry(hash(number), same, |&other| hash(other)) {
            entry.insert(number);
            self.first[number as usize] = true;
        }
    }

    /// Labels of all dictionaries, repeated ones counted as often as they come:
    /// every number is below.
    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// How many labels differ.
    pub(crate) fn distinct(&self) -> usize {
        self.numbers.len()
    }

    /// The numbers of the labels that differ, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.first).filter_map(|(number, &first)| first.then_some(number))
    }

    /// The number of `label`, where a dictionary has it.
    pub(crate) fn number(&self, label: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(label);
        self.numbers.find(hash, |&number| self.label(number) == label).copied()
    }

    /// The label of a number: one that this vocabulary has given.
    pub(crate) fn label(&self, number: u32) -> &'a str {
        Texts { dictionaries: self.dictionaries, starts: &self.starts }.of(number)
    }
}

/// Where labels lie.
#[derive(Clone, Copy)]
struct Texts<'a, 'b> {
    dictionaries: &'a [Dictionary],
    starts: &'b [usize],
}

impl<'a> Texts<'a, '_> {
    fn of(self, number: u32) -> &'a str {
        let number = number as usize;
        // The last dictionary that begins at it or before: an empty one has no label.
        let at = self.starts.partition_point(|&start| start <= number).saturating_sub(1);
        let labels = self.dictionaries.get(at).map(Dictionary::labels);
        labels.and_then(|labels| labels.get(number - self.starts[at])).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_label_that_comes_again_has_the_number_of_the_first() {
        let dictionary =
            |name: &str, text: &str| Dictionary::parse(Path::new(name), text.as_bytes()).unwrap();
        let dictionaries = [dictionary("a.txt", "x\ny"), dictionary("b.txt", "y\nz")];
        let vocabulary = Vocabulary::new(&dictionaries).unwrap();
        assert_eq!((vocabulary.len(), vocabulary.distinct()), (4, 3));
        assert_eq!(vocabulary.numbers().collect::<Vec<_>>(), [0, 1, 3]);
        let numbers = ["x", "y", "z", "w"].map(|label| vocabulary.number(label));
        assert_eq!(numbers, [Some(0), Some(1), Some(3), None]);
        assert_eq!([0, 1, 2, 3].map(|number| vocabulary.label(number)), ["x", "y", "y", "z"]);
        assert_eq!(Vocabulary::new(&[]).unwrap().distinct(), 0);
    }
}
