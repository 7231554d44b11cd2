//! The prefix trie of token sequences.
//!
//! In a causal model the state at a token depends only on the tokens before it, so sequences
//! share the states of their common prefixes. A trie has one node per distinct prefix.
//! [`Trie`] lists the nodes of some sequences with their parents; [`Blocks`] cuts many
//! sequences into tries within a memory budget. `nn` computes attention over the ancestors
//! of a node.
//!
//! The dictionaries of this project have 111,836 distinct labels: 616,222 tokens of CLIP's
//! tokenizer, but only 335,596 nodes.

mod blocks;

pub(crate) use blocks::Blocks;

/// The parent of a node without a parent.
const NO_PARENT: u32 = u32::MAX;

/// The distinct prefixes of some sequences, one node each, in the order in which they first
/// occur.
///
/// A trie may continue a prefix that was computed earlier, whose states are in a KV cache.
/// Rows number both: first the tokens of the prefix, then the nodes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Trie {
    /// The number of tokens of the prefix.
    prefix: usize,
    ids: Vec<u32>,
    /// The position of each node's token.
    depths: Vec<u32>,
    /// The row of each node's parent.
    parents: Vec<u32>,
    /// The last node of each sequence.
    ends: Vec<u32>,
}

impl Trie {
    /// Builds the trie of `sequences`, none of them empty, after the tokens `prefix`.
    ///
    /// A sequence shares the nodes of its common prefix with the previous sequence. So sorted
    /// sequences share all nodes that can be shared; unsorted ones are correct, but share
    /// fewer. The last token of a sequence is a node even if the prefix contains it.
    pub(crate) fn after<'a>(
        prefix: &[u32],
        sequences: impl IntoIterator<Item = &'a [u32]>,
    ) -> Self {
        let mut trie = Trie { prefix: prefix.len(), ..Trie::default() };
        let mut before: &[u32] = &[];
        // The rows along the previous sequence.
        let mut path: Vec<u32> = Vec::new();
        for ids in sequences {
            let inner = &ids[..ids.len().saturating_sub(1)];
            let (cached, last) = (common_prefix(prefix, inner), common_prefix(before, ids));
            path.truncate(last);
            if cached > last {
                path.clear();
                path.extend(0..cached as u32);
            }
            let is_cached = |&row: &u32| row < prefix.len() as u32;
            if path.len() == ids.len() && path.last().is_some_and(is_cached) {
                path.pop();
            }
            for (depth, &id) in ids.iter().enumerate().skip(path.len()) {
                trie.parents.push(path.last().copied().unwrap_or(NO_PARENT));
                trie.ids.push(id);
                trie.depths.push(depth as u32);
                // A batch has far fewer than 2^32 rows.
                path.push((prefix.len() + trie.ids.len() - 1) as u32);
            }
            trie.ends.extend(path.last().map(|&row| row - prefix.len() as u32));
            before = ids;
        }
        trie
    }

    /// Returns the token of each node.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns the position of each node's token.
    pub(crate) fn depths(&self) -> &[u32] {
        &self.depths
    }

    /// Returns the last node of each sequence, in the order of the sequences.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Appends to `rows` the rows that `node` attends to: its ancestors from the first token
    /// on, and itself.
    pub(crate) fn attended_rows(&self, node: usize, rows: &mut Vec<u32>) {
        let (start, depth) = (rows.len(), self.depths[node] as usize);
        rows.resize(start + depth + 1, 0);
        let mut row = (self.prefix + node) as u32;
        for to in rows[start..].iter_mut().rev() {
            *to = row;
            // Within the prefix, the parent of a row is the row before it.
            row = match (row as usize).checked_sub(self.prefix) {
                Some(node) => self.parents[node],
                None => row.wrapping_sub(1),
            };
        }
    }
}

/// Returns the length of the common prefix of two sequences.
fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn attended_rows(trie: &Trie, node: usize) -> Vec<u32> {
        let mut rows = Vec::new();
        trie.attended_rows(node, &mut rows);
        rows
    }

    #[test]
    fn common_prefixes_are_one_node() {
        let trie = Trie::after(&[], [&[1, 2, 9][..], &[1, 2, 3, 9], &[1, 4, 9], &[1, 4, 9]]);
        assert_eq!(trie.ids(), [1, 2, 9, 3, 9, 4, 9]);
        assert_eq!(trie.depths(), [0, 1, 2, 2, 3, 1, 2]);
        assert_eq!(trie.ends(), [2, 4, 6, 6]);
        assert_eq!(attended_rows(&trie, 4), [0, 1, 3, 4]);
        assert_eq!(attended_rows(&trie, 5), [0, 5]);
    }

    #[test]
    fn a_trie_continues_a_prefix() {
        let prefix = [1, 2, 3];
        let trie = Trie::after(&prefix, [&[1, 2, 3, 9][..], &[1, 2, 5, 9], &[1, 2, 3], &[7, 9]]);
        assert_eq!(trie.ids(), [9, 5, 9, 3, 7, 9]);
        assert_eq!(trie.depths(), [3, 2, 3, 2, 0, 1]);
        assert_eq!(trie.ends(), [0, 2, 3, 5]);
        assert_eq!(attended_rows(&trie, 0), [0, 1, 2, 3]);
        assert_eq!(attended_rows(&trie, 2), [0, 1, 4, 5]);
        // The last token is a node although the prefix contains it.
        assert_eq!(attended_rows(&trie, 3), [0, 1, 6]);
        assert_eq!(attended_rows(&trie, 5), [7, 8]);
        let trie = Trie::after(&prefix, [&[1, 2, 3, 9][..], &[1, 2, 3]]);
        assert_eq!((trie.ids(), trie.ends()), (&[9, 3][..], &[0, 1][..]));
    }

    #[test]
    fn no_sequences_have_no_nodes() {
        assert!(Trie::after(&[], []).ids().is_empty());
        assert!(Trie::after(&[1, 2], []).ends().is_empty());
    }

    fn sequences() -> impl Strategy<Value = Vec<Vec<u32>>> {
        prop::collection::vec(prop::collection::vec(0u32..4, 1..8), 0..30)
    }

    proptest! {
        /// The tokens of the attended rows, those of the prefix included.
        #[test]
        fn attended_rows_spell_the_sequence(
            mut all in sequences(),
            prefix in prop::collection::vec(0u32..4, 0..5),
            sorted: bool,
        ) {
            if sorted {
                all.sort();
            }
            let trie = Trie::after(&prefix, all.iter().map(Vec::as_slice));
            let tokens: Vec<u32> = prefix.iter().chain(trie.ids()).copied().collect();
            prop_assert_eq!(trie.ends().len(), all.len());
            for (ids, &end) in all.iter().zip(trie.ends()) {
                let rows = attended_rows(&trie, end as usize);
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
