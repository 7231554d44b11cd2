//! The text tower on a backend: token sequences to embeddings.
//!
//! Follows `CLIPTextModel` and the text half of `CLIPModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py), with one difference that changes no
//! value. Attention is causal and the embedding is read at end-of-text, so padding after it
//! is never computed, and sequences with a common prefix share its computation: all
//! products run over the nodes of a trie.

use rayon::prelude::*;

use super::config::Config;
use super::prefix_cache::PrefixCache;
use super::text_layers::{DEVICE_CALLS, TextLayers};
use crate::Result;
use crate::encoder::{Calls, Embeddings, Tokens};
use crate::nn::{Backend, Compute, Kv, KvCache, Readout, RowLists, Scope, Workspace};
use crate::trie::{Blocks, Trie};
use crate::weights::Weights;

/// Rows that a thread copies in one task, at least.
const ROWS: usize = 256;

/// Nodes of a trie per text, with some to spare: sorted labels have 3.
const NODES_PER_TEXT: usize = 4;

/// The text tower on one backend. Every sequence must be checked before: it ends with its
/// first end-of-text token.
#[derive(Debug)]
pub(super) struct TextTower<B: Backend> {
    backend: B,
    text: TextLayers<B>,
    /// The number of nodes per batch.
    batch_nodes: usize,
}

impl<B: Backend> TextTower<B> {
    pub(super) fn load(
        weights: &Weights,
        config: &Config,
        compute: &Compute,
        backend: B,
    ) -> Result<Self> {
        let text = TextLayers::load(weights, config, &backend)?;
        let batch_nodes = backend.batch_nodes(compute.batch_tokens, text.token_bytes);
        Ok(TextTower { text, batch_nodes, backend })
    }

    /// Returns the embeddings of `tokens`, reusing `prefix` where a sequence begins with it.
    pub(super) fn embed_after(
        &self,
        prefix: &PrefixCache<B>,
        tokens: &Tokens,
    ) -> Result<Embeddings> {
        let blocks = Blocks::new(&prefix.tokens, tokens, self.batch_nodes);
        let encoded = self.backend.each("encoding texts", blocks.iter(), |work, block| {
            self.forward(work, &block.trie(), &prefix.cache)
        })?;
        // The encoded row of each sequence, by its number.
        let mut sources: Vec<&[f32]> = vec![&[]; tokens.len()];
        let numbers = blocks.iter().flat_map(|block| block.rows().collect::<Vec<_>>());
        let encoded = encoded.iter().flat_map(|rows| rows.chunks_exact(self.text.dim));
        numbers.zip(encoded).for_each(|(number, row)| sources[number] = row);
        let mut rows = vec![0.0; tokens.len() * self.text.dim];
        let copies = rows.par_chunks_exact_mut(self.text.dim).with_min_len(ROWS).zip(&sources);
        copies.filter(|(_, from)| !from.is_empty()).for_each(|(to, from)| to.copy_from_slice(from));
        Embeddings::new(self.text.dim, rows)
    }

    /// Returns how to embed many texts at full speed on a device: a call for each batch.
    pub(super) fn device_calls(&self) -> Calls {
        Calls { texts: (self.batch_nodes / NODES_PER_TEXT).max(1), at_once: DEVICE_CALLS }
    }

    /// Replaces the tokens of `prefix` by `ids`, computing only those after their common
    /// prefix.
    pub(super) fn set_prefix(&self, prefix: &mut PrefixCache<B>, ids: &[u32]) -> Result<()> {
        let backend = &self.backend;
        let shared = prefix.tokens.iter().zip(ids).take_while(|(a, b)| a == b).count();
        prefix.truncate(backend, shared);
        if shared == ids.len() {
            return Ok(());
        }
        let trie = Trie::after(&ids[..shared], [ids]);
        prefix.tokens.extend_from_slice(trie.ids());
        let extended = backend.with_workspace(|work| {
            self.text.embed(backend, work, trie.ids(), trie.depths())?;
            let scope = backend.scope(Scope::Lists(lists(&trie)))?;
            self.text.layers.extend(backend, work, &scope, &mut prefix.cache)
        });
        if extended.is_err() {
            prefix.truncate(backend, shared); // some layers may have more rows than others
        }
        extended
    }

    /// Returns the rows (sequences, dim) at the last node of each sequence of `trie`.
    fn forward(
        &self,
        work: &mut Workspace<B>,
        trie: &Trie,
        cache: &KvCache<B>,
    ) -> Result<Vec<f32>> {
        let (backend, lists) = (&self.backend, lists(trie));
        self.text.embed(backend, work, trie.ids(), trie.depths())?;
        let ends = Readout::lists(backend, &lists, trie.ends())?;
        let scope = backend.scope(Scope::Lists(lists))?;
        self.text.layers.forward(backend, work, &scope, &mut Kv::Read(cache), Some(&ends))?;
        self.text.project(backend, work)
    }
}

/// Returns the rows that each node attends to: its ancestors and itself.
fn lists(trie: &Trie) -> RowLists {
    RowLists::new(trie.ids().len(), |node, rows| trie.attended_rows(node, rows))
}
