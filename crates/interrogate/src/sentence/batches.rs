//! Sequences put together by length, so that none is padded.

use crate::encoder::Tokens;

/// The numbers of the sequences in batches of one length each, shorter first,
/// of at most `budget` tokens unless one sequence alone has more. Empty
/// sequences are in none.
pub(super) fn equal_lengths(tokens: &Tokens, budget: usize) -> Vec<Batch> {
    let mut sorted: Vec<(usize, usize)> =
        tokens.iter().map(<[u32]>::len).enumerate().map(|(row, length)| (length, row)).collect();
    sorted.sort_unstable();
    sorted
        .chunk_by(|(a, _), (b, _)| a == b)
        .filter(|alike| alike[0].0 > 0)
        .flat_map(|alike| {
            let length = alike[0].0;
            alike.chunks((budget / length).max(1)).map(move |batch| Batch {
                length,
                rows: batch.iter().map(|&(_, row)| row).collect(),
            })
        })
        .collect()
}

/// Sequences of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// Tokens in each of them.
    pub(super) length: usize,
    /// Their numbers, ascending.
    pub(super) rows: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(lengths: &[usize]) -> Tokens {
        let mut tokens = Tokens::new();
        lengths.iter().for_each(|&length| tokens.push(&vec![1; length]));
        tokens
    }

    #[test]
    fn like_goes_with_like_in_order() {
        let batches = equal_lengths(&tokens(&[3, 2, 0, 3, 3, 9]), 6);
        let found: Vec<_> = batches.iter().map(|b| (b.length, b.rows.as_slice())).collect();
        assert_eq!(found, [(2, &[1][..]), (3, &[0, 3]), (3, &[4]), (9, &[5])]);
    }

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch_within_the_budget(
            lengths in proptest::collection::vec(1usize..12, 0..60),
            budget in 1usize..40,
        ) {
            let batches = equal_lengths(&tokens(&lengths), budget);
            let mut rows: Vec<usize> = Vec::new();
            for batch in &batches {
                prop_assert!(batch.rows.len() == 1 || batch.rows.len() * batch.length <= budget);
                prop_assert!(batch.rows.iter().all(|&row| lengths[row] == batch.length));
                rows.extend(&batch.rows);
            }
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
