//! The labels of a dictionary, by default without duplicates.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Texts;
use super::finding::{self, Finding, FindingKind};

/// What happens to a label that is in the dictionary already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// It is left out and reported.
    #[default]
    LeaveOut,
    /// It is kept, as a label of its own.
    Keep,
}

/// The labels of a dictionary are more than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Labels with the line that each is from. With [`Duplicates::LeaveOut`] each label is there
/// once, from its first line.
#[derive(Default)]
pub(super) struct Labels {
    duplicates: Duplicates,
    texts: Texts,
    lines: Vec<u32>,
    /// The number of each label, by its hash.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Labels {
    /// Returns an empty list with capacity for `bytes` of text.
    pub(super) fn with_capacity(bytes: usize, duplicates: Duplicates) -> Self {
        Labels { duplicates, texts: Texts::with_capacity(bytes), ..Labels::default() }
    }

    /// Returns what happens to duplicates.
    pub(super) fn duplicates(&self) -> Duplicates {
        self.duplicates
    }

    /// Adds the label of `line`, which is `parts` joined. A duplicate that is left out is a
    /// finding instead.
    pub(super) fn push(
        &mut self,
        line: usize,
        parts: &[&str],
        findings: &mut Vec<Finding>,
    ) -> Result<(), TooLarge> {
        let Labels { duplicates, texts, lines, numbers, hasher } = self;
        let number = u32::try_from(texts.len()).map_err(|_| TooLarge)?;
        let kept_from = u32::try_from(line).map_err(|_| TooLarge)?;
        texts.push(parts).ok_or(TooLarge)?;
        if *duplicates == Duplicates::Keep {
            lines.push(kept_from);
            return Ok(());
        }
        let text = |number: u32| texts.get(number as usize).unwrap_or_default();
        let hash = |number: u32| hasher.hash_one(text(number));
        let same = |&other: &u32| text(other) == text(number);
        match numbers.entry(hash(number), same, |&other| hash(other)) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                lines.push(kept_from);
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
