//! The labels of all dictionaries, by number.
//!
//! A build stores what it knows of a label in vectors, by the label's number; maps of
//! strings would take ten times the memory. The texts stay in the dictionaries. The hash
//! table holds numbers and compares labels by their texts.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use interrogate::Error as LibraryError;

use crate::{Dictionary, Result};

/// The labels of dictionaries, numbered in order. A repeated label has the number of its
/// first occurrence.
///
/// Memory: about 9 bytes a label, beside the dictionaries.
pub(crate) struct Vocabulary<'a> {
    dictionaries: &'a [Dictionary],
    /// The number of each dictionary's first label.
    starts: Vec<usize>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// For each label, whether it is its first occurrence.
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

    /// Number of labels, with duplicates. All numbers are below.
    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// Number of distinct labels.
    pub(crate) fn distinct(&self) -> usize {
        self.numbers.len()
    }

    /// The numbers of the distinct labels, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.first).filter_map(|(number, &first)| first.then_some(number))
    }

    /// Returns the number of `label`, if a dictionary has it.
    pub(crate) fn number(&self, label: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(label);
        self.numbers.find(hash, |&number| self.label(number) == label).copied()
    }

    /// Returns the label of a number of this vocabulary.
    pub(crate) fn label(&self, number: u32) -> &'a str {
        Texts { dictionaries: self.dictionaries, starts: &self.starts }.of(number)
    }
}

/// Finds the text of a label by its number.
#[derive(Clone, Copy)]
struct Texts<'a, 'b> {
    dictionaries: &'a [Dictionary],
    starts: &'b [usize],
}

impl<'a> Texts<'a, '_> {
    fn of(self, number: u32) -> &'a str {
        let number = number as usize;
        // The last dictionary that starts at the number or before.
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
    fn repeated_label_has_the_number_of_the_first() {
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
