//! Splits many sequences into tries of limited size.

use std::ops::Range;

use rayon::prelude::*;

use super::{Trie, common_prefix};
use crate::encoder::Tokens;
use crate::nn::Batch;

/// Sorted sequences, cut into blocks whose tries have about the same number of nodes, at most
/// a budget. Only a block of a single sequence may have more.
///
/// Blocks do not share nodes: the few nodes that the first sequence of a block has in common
/// with the previous block are computed again.
pub(crate) struct Blocks<'a> {
    sequences: Vec<(&'a [u32], usize)>,
    cuts: Vec<Range<usize>>,
    prefix: &'a [u32],
}

impl<'a> Blocks<'a> {
    /// Sorts the non-empty sequences `tokens` and cuts them so that a trie after `prefix` has
    /// at most `budget` nodes.
    pub(crate) fn new(prefix: &'a [u32], tokens: &'a Tokens, budget: usize) -> Self {
        let mut sequences: Vec<(&[u32], usize)> =
            tokens.iter().enumerate().map(|(row, ids)| (ids, row)).collect();
        sequences.par_sort_unstable();
        let mut before: &[u32] = prefix;
        let costs = sequences.iter().map(|&(ids, _)| {
            let own = ids.len() - common_prefix(before, ids).max(common_prefix(prefix, ids));
            before = ids;
            own
        });
        let costs: Vec<usize> = costs.collect();
        let budget = budget.max(1);
        let total: usize = costs.iter().sum();
        let share = total.div_ceil(total.div_ceil(budget).max(1)).max(1);
        let mut cuts = Vec::new();
        let (mut start, mut nodes) = (0, 0);
        for (at, ((ids, _), &cost)) in sequences.iter().zip(&costs).enumerate() {
            let full = nodes >= share || nodes + cost > budget;
            if at > start && full {
                cuts.push(start..at);
                (start, nodes) = (at, ids.len() - common_prefix(prefix, ids));
            } else {
                nodes += cost;
            }
        }
        if start < sequences.len() {
            cuts.push(start..sequences.len());
        }
        Blocks { sequences, cuts, prefix }
    }

    /// Returns the blocks, in order. Tries are built on demand.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Block<'_>> {
        self.cuts
            .iter()
            .map(|cut| Block { prefix: self.prefix, sequences: &self.sequences[cut.clone()] })
    }
}

/// The sequences of one trie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    prefix: &'a [u32],
    sequences: &'a [(&'a [u32], usize)],
}

impl Batch for Block<'_> {
    fn items(&self) -> usize {
        self.sequences.len()
    }

    fn split(self, items: usize) -> [Self; 2] {
        let (first, rest) = self.sequences.split_at(items);
        [first, rest].map(|sequences| Block { sequences, ..self })
    }
}

impl Block<'_> {
    /// Builds the trie of the block.
    pub(crate) fn trie(&self) -> Trie {
        Trie::after(self.prefix, self.sequences.iter().map(|&(ids, _)| ids))
    }

    /// Returns the row of each sequence in the original tokens, in the order of the trie's
    /// ends.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
        self.sequences.iter().map(|&(_, row)| row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(all: &[Vec<u32>]) -> Tokens {
        let mut tokens = Tokens::new();
        all.iter().for_each(|ids| tokens.push(ids));
        tokens
    }

    #[test]
    fn blocks_are_even_and_sorted() {
        let all: Vec<Vec<u32>> = (0..10).rev().map(|i| vec![1, i, 9]).collect();
        let tokens = tokens(&all);
        let blocks = Blocks::new(&[], &tokens, 12);
        let found: Vec<(usize, Vec<usize>)> =
            blocks.iter().map(|b| (b.trie().ids().len(), b.rows().collect())).collect();
        assert_eq!(found, [(11, vec![9, 8, 7, 6, 5]), (11, vec![4, 3, 2, 1, 0])]);
        assert_eq!(Blocks::new(&[], &Tokens::new(), 12).iter().count(), 0);
    }

    proptest! {
        #[test]
        fn every_sequence_is_in_one_block_within_the_budget(
            all in prop::collection::vec(prop::collection::vec(0u32..4, 1..8), 0..40),
            prefix in prop::collection::vec(0u32..4, 0..4),
            budget in 1usize..40,
        ) {
            let tokens = tokens(&all);
            let mut rows = Vec::new();
            for block in Blocks::new(&prefix, &tokens, budget).iter() {
                let (trie, block): (_, Vec<usize>) = (block.trie(), block.rows().collect());
                prop_assert_eq!(trie.ends().len(), block.len());
                // The last token of a sequence is always a node of its own.
                prop_assert!(trie.ids().len() <= budget + block.len() || block.len() == 1);
                rows.extend(block);
            }
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..all.len()).collect::<Vec<_>>());
        }
    }
}
