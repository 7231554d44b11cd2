//! Token sequences of different lengths, stored flat.

use crate::error::CheckpointError;
use crate::{Error, Result};

/// Token sequences, one per text, without padding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    /// The end of each sequence in `ids`.
    ends: Vec<usize>,
}

impl Tokens {
    /// Creates an empty list of sequences.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a sequence.
    pub fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
    }

    /// Returns the number of sequences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the number of tokens in all sequences together.
    pub fn total(&self) -> usize {
        self.ids.len()
    }

    /// Returns sequence number `row`; `None` beyond the last.
    pub fn get(&self, row: usize) -> Option<&[u32]> {
        let end = *self.ends.get(row)?;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.ids[start..end])
    }

    /// Returns the sequences, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        (0..self.len()).map(|row| self.get(row).unwrap_or_default())
    }
}

/// Checks that the ids of sequence `row` are below `vocabulary`.
///
/// # Errors
/// [`CheckpointError::TokenSequence`].
pub(crate) fn check_vocabulary(row: usize, ids: &[u32], vocabulary: usize) -> Result<()> {
    match ids.iter().find(|&&id| id as usize >= vocabulary) {
        None => Ok(()),
        Some(id) => {
            let expected = format!("tokens below {vocabulary}");
            Err(Error::Checkpoint(CheckpointError::TokenSequence {
                row,
                expected,
                found: id.to_string(),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_round_trip() {
        let mut tokens = Tokens::new();
        for ids in [&[1, 2, 3][..], &[], &[4]] {
            tokens.push(ids);
        }
        assert_eq!(tokens.iter().collect::<Vec<_>>(), [&[1, 2, 3][..], &[], &[4]]);
        assert_eq!((tokens.len(), tokens.total(), tokens.get(3)), (3, 4, None));
    }
}
