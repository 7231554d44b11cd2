//! Labels without duplicates.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Texts;
use super::finding::{self, Finding, FindingKind};

/// The labels of a dictionary are more than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Labels, each once, with the line that it is kept from.
#[derive(Default)]
pub(super) struct Distinct {
    texts: Texts,
    lines: Vec<u32>,
    /// The number of each label, by its hash.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Distinct {
    /// Returns an empty list with capacity for `bytes` of text.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Distinct { texts: Texts::with_capacity(bytes), ..Distinct::default() }
    }

    /// Adds the label of `line`, which is `parts` joined. A label that is there already is
    /// a finding instead.
    pub(super) fn push(
        &mut self,
        line: usize,
        parts: &[&str],
        findings: &mut Vec<Finding>,
    ) -> Result<(), TooLarge> {
        let Distinct { texts, lines, numbers, hasher } = self;
        let number = u32::try_from(texts.len()).map_err(|_| TooLarge)?;
        texts.push(parts).ok_or(TooLarge)?;
        let text = |number: u32| texts.get(number as usize).unwrap_or_default();
        let hash = |number: u32| hasher.hash_one(text(number));
        let same = |&other: &u32| text(other) == text(number);
        match numbers.entry(hash(number), same, |&other| hash(other)) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                lines.push(u32::try_from(line).map_err(|_| TooLarge)?);
            }
            Entry::Occupied(entry) => {
                let first = lines.get(*entry.get() as usize).map_or(0, |&line| line as usize);
                let label = finding::truncate(text(number));
                finding::add(
                    findings,
                    Finding { line, kind: FindingKind::Duplicate { label, first } },
                );
                texts.pop();
            }
        }
        Ok(())
    }

    /// The line and text of each label, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().map(|&line| line as usize).zip(self.texts.iter())
    }

    /// Whether there is no label.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The labels alone.
    pub(super) fn into_texts(self) -> Texts {
        self.texts
    }
}
