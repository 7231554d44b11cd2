//! Who looks at whom: the nodes of a trie at their ancestors, the patches of an
//! image at each other.

use super::past::{Layer, Past};
use crate::nn::attention::{Heads, Seen, chains, groups};
use crate::trie::Trie;

/// Which rows each row attends to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope<'a> {
    /// Rows are the nodes of a trie that hangs from the past, each attending to
    /// its ancestors and itself.
    Trie(&'a Trie, &'a Past),
    /// Rows are so many images of equal length, each attending to all of itself.
    Images(usize),
}

impl Scope<'_> {
    /// Keys and values of one layer that were computed before.
    pub(super) fn past(&self, layer: usize) -> Layer<'_> {
        match self {
            Scope::Trie(_, past) => past.layer(layer),
            Scope::Images(_) => Layer::default(),
        }
    }

    /// Writes to `out` the attention of `queries`, which are all rows, or those
    /// that `only` numbers.
    pub(super) fn attend(
        &self,
        heads: Heads,
        width: usize,
        only: Option<&[u32]>,
        queries: &[f32],
        seen: Seen<'_>,
        out: &mut [f32],
    ) {
        match self {
            Scope::Images(images) => groups(heads, width, *images, queries, seen, out),
            Scope::Trie(trie, _) => {
                let node = |query: usize| only.map_or(query, |only| only[query] as usize);
                let chain = |query, rows: &mut Vec<u32>| trie.chain(node(query), rows);
                chains(heads, width, queries, seen, chain, out);
            }
        }
    }
}
