//! Many sequences in tries of bounded size.

use std::ops::Range;

use super::{Trie, shared};
use crate::encoder::Tokens;
use crate::nn::Batch;

/// Sequences in sorted order, cut into blocks whose tries have about as many
/// nodes each and at most a budget, but for a sequence that alone is longer.
///
/// A block begins anew: what its first sequence shares with the block before is
/// computed again, a handful of nodes.
pub(crate) struct Blocks<'a> {
    sequences: Vec<(&'a [u32], usize)>,
    cuts: Vec<Range<usize>>,
    past: &'a [u32],
}

impl<'a> Blocks<'a> {
    /// Sorts `tokens`, none of them empty, and cuts them so that a trie hanging
    /// from `past` has at most `budget` nodes.
    pub(crate) fn new(past: &'a [u32], tokens: &'a Tokens, budget: usize) -> Self {
        let mut sequences: Vec<(&[u32], usize)> =
            tokens.iter().enumerate().map(|(row, ids)| (ids, row)).collect();
        sequences.sort_unstable();
        let mut before: &[u32] = past;
        let costs = sequences.iter().map(|&(ids, _)| {
            let own = ids.len() - shared(before, ids).max(shared(past, ids));
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
                (start, nodes) = (at, ids.len() - shared(past, ids));
            } else {
                nodes += cost;
            }
        }
        if start < sequences.len() {
            cuts.push(start..sequences.len());
        }
        Blocks { sequences, cuts, past }
    }

    /// The blocks, in order; each makes its trie when it is asked for it.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Block<'_>> {
        self.cuts
            .iter()
            .map(|cut| Block { past: self.past, sequences: &self.sequences[cut.clone()] })
    }
}

/// The sequences of one trie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    past: &'a [u32],
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
    /// Their trie.
    pub(crate) fn trie(&self) -> Trie {
        Trie::after(self.past, self.sequences.iter().map(|&(ids, _)| ids))
    }

    /// The number that each has among the tokens, in the order of the trie's ends.
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
        fn each_sequence_is_in_one_block_within_the_budget(
            all in prop::collection::vec(prop::collection::vec(0u32..4, 1..8), 0..40),
            past in prop::collection::vec(0u32..4, 0..4),
            budget in 1usize..40,
        ) {
            let tokens = tokens(&all);
            let mut rows = Vec::new();
            for block in Blocks::new(&past, &tokens, budget).iter() {
                let (trie, block): (_, Vec<usize>) = (block.trie(), block.rows().collect());
                prop_assert_eq!(trie.ends().len(), block.len());
                // The last token of a sequence is a node wherever it stands.
                prop_assert!(trie.ids().len() <= budget + block.len() || block.len() == 1);
                rows.extend(block);
            }
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..all.len()).collect::<Vec<_>>());
        }
    }
}
