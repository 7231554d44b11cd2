//! The prefix trie of token sequences.
//!
//! A causal model's state at a token depends on the tokens before it alone, so
//! that sequences which begin alike share the states of what they share. A trie
//! has a node for each prefix that occurs; [`Trie`] lists the nodes of some
//! sequences with their parents, and [`Blocks`] cuts many sequences into tries
//! that each fit a budget of memory. What is computed at a node is for the
//! models; attention over a node's ancestors is `nn`'s.
//!
//! The dictionaries that ship with this project are 111,836 distinct labels, and
//! for CLIP's tokenizer 616,222 tokens, but only 335,596 nodes.

mod blocks;

pub(crate) use blocks::Blocks;

/// What stands for the parent of a node that has none.
const NONE: u32 = u32::MAX;

/// The unique prefixes of some sequences, a node each, in the order in which
/// they first occur.
///
/// Nodes may hang from a path that was computed earlier: the past. Rows are
/// numbered through both, first those of the past and then the nodes'.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Trie {
    past: usize,
    ids: Vec<u32>,
    /// How many tokens come before each node's.
    depths: Vec<u32>,
    /// The row of the prefix that is one token shorter.
    parents: Vec<u32>,
    /// For each sequence the number of its last node.
    ends: Vec<u32>,
}

impl Trie {
    /// The trie of `sequences`, none of them empty, hanging from the path of the
    /// tokens `past`. Each shares with the one before it what both begin with:
    /// sorted sequences share all that can be shared, and others no less
    /// correctly. A sequence's last token is a node of its own even where the
    /// past has it.
    pub(crate) fn after<'a>(past: &[u32], sequences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut trie = Trie { past: past.len(), ..Trie::default() };
        let mut before: &[u32] = &[];
        // The rows along the sequence before.
        let mut path: Vec<u32> = Vec::new();
        for ids in sequences {
            let inner = &ids[..ids.len().saturating_sub(1)];
            let (old, last) = (shared(past, inner), shared(before, ids));
            path.truncate(last);
            if old > last {
                path.clear();
                path.extend(0..old as u32);
            }
            if path.len() == ids.len() && path.last().is_some_and(|&row| row < past.len() as u32) {
                path.pop();
            }
            for (depth, &id) in ids.iter().enumerate().skip(path.len()) {
                trie.parents.push(path.last().copied().unwrap_or(NONE));
                trie.ids.push(id);
                trie.depths.push(depth as u32);
                // A batch has far fewer than 2^32 rows.
                path.push((past.len() + trie.ids.len() - 1) as u32);
            }
            trie.ends.extend(path.last().map(|&row| row - past.len() as u32));
            before = ids;
        }
        trie
    }

    /// The token of each node.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many tokens come before each node's: its position.
    pub(crate) fn depths(&self) -> &[u32] {
        &self.depths
    }

    /// The last node of each sequence, in the order of the sequences.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Appends to `rows` the rows that `node` attends to: its ancestors from the
    /// first token on, and itself.
    pub(crate) fn chain(&self, node: usize, rows: &mut Vec<u32>) {
        let (start, depth) = (rows.len(), self.depths[node] as usize);
        rows.resize(start + depth + 1, 0);
        let mut row = (self.past + node) as u32;
        for to in rows[start..].iter_mut().rev() {
            *to = row;
            // Within the past a row's parent is the row before.
            row = match (row as usize).checked_sub(self.past) {
                Some(node) => self.parents[node],
                None => row.wrapping_sub(1),
            };
        }
    }
}

/// How many tokens two sequences have in common before they part.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn chain(trie: &Trie, node: usize) -> Vec<u32> {
        let mut rows = Vec::new();
        trie.chain(node, &mut rows);
        rows
    }

    #[test]
    fn what_sequences_begin_with_is_there_once() {
        let trie = Trie::after(&[], [&[1, 2, 9][..], &[1, 2, 3, 9], &[1, 4, 9], &[1, 4, 9]]);
        assert_eq!(trie.ids(), [1, 2, 9, 3, 9, 4, 9]);
        assert_eq!(trie.depths(), [0, 1, 2, 2, 3, 1, 2]);
        assert_eq!(trie.ends(), [2, 4, 6, 6]);
        assert_eq!(chain(&trie, 4), [0, 1, 3, 4]);
        assert_eq!(chain(&trie, 5), [0, 5]);
    }

    #[test]
    fn branches_hang_from_the_past_where_they_leave_it() {
        let past = [1, 2, 3];
        let trie = Trie::after(&past, [&[1, 2, 3, 9][..], &[1, 2, 5, 9], &[1, 2, 3], &[7, 9]]);
        assert_eq!(trie.ids(), [9, 5, 9, 3, 7, 9]);
        assert_eq!(trie.depths(), [3, 2, 3, 2, 0, 1]);
        assert_eq!(trie.ends(), [0, 2, 3, 5]);
        assert_eq!(chain(&trie, 0), [0, 1, 2, 3]);
        assert_eq!(chain(&trie, 2), [0, 1, 4, 5]);
        // The last token is a node although the past has it.
        assert_eq!(chain(&trie, 3), [0, 1, 6]);
        assert_eq!(chain(&trie, 5), [7, 8]);
        let trie = Trie::after(&past, [&[1, 2, 3, 9][..], &[1, 2, 3]]);
        assert_eq!((trie.ids(), trie.ends()), (&[9, 3][..], &[0, 1][..]));
    }

    #[test]
    fn no_sequence_has_no_node() {
        assert!(Trie::after(&[], []).ids().is_empty());
        assert!(Trie::after(&[1, 2], []).ends().is_empty());
    }

    fn sequences() -> impl Strategy<Value = Vec<Vec<u32>>> {
        prop::collection::vec(prop::collection::vec(0u32..4, 1..8), 0..30)
    }

    proptest! {
        /// The tokens along a chain, with the past's before it.
        #[test]
        fn a_chain_spells_its_sequence(
            mut all in sequences(),
            past in prop::collection::vec(0u32..4, 0..5),
            sorted: bool,
        ) {
            if sorted {
                all.sort();
            }
            let trie = Trie::after(&past, all.iter().map(Vec::as_slice));
            let tokens: Vec<u32> = past.iter().chain(trie.ids()).copied().collect();
            prop_assert_eq!(trie.ends().len(), all.len());
            for (ids, &end) in all.iter().zip(trie.ends()) {
                let rows = chain(&trie, end as usize);
                let spelt: Vec<u32> = rows.iter().map(|&row| tokens[row as usize]).collect();
                prop_assert_eq!(&spelt, ids);
                prop_assert!(rows.is_sorted());
            }
        }

        #[test]
        fn sorted_sequences_have_a_node_for_each_prefix(mut all in sequences()) {
            all.sort();
            let trie = Trie::after(&[], all.iter().map(Vec::as_slice));
            let prefixes: HashSet<&[u32]> =
                all.iter().flat_map(|ids| (1..=ids.len()).map(|n| &ids[..n])).collect();
            prop_assert_eq!(trie.ids().len(), prefixes.len());
        }
    }
}
