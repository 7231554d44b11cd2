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
use crate::Result;
use crate::encoder::{Calls, Embeddings, Tokens};
use crate::nn::{
    Activation, Backend, Compute, Kv, KvCache, Loader, PreNormLayers, PreNormSizes, Readout,
    RowLists, Scope, Workspace,
};
use crate::trie::{Blocks, Trie};
use crate::vision::download;
use crate::weights::Weights;

/// Rows that a thread copies in one task, at least.
const ROWS: usize = 256;

/// Nodes of a trie per text, with some to spare: sorted labels have 3.
const NODES_PER_TEXT: usize = 4;

/// Calls for a device at a time: one is computed, one is queued, and one is prepared or copied
/// back.
const DEVICE_CALLS: usize = 3;

/// The text tower on one backend. Every sequence must be checked before: it ends with its
/// first end-of-text token.
#[derive(Debug)]
pub(super) struct TextTower<B: Backend> {
    backend: B,
    token_embedding: B::Table,
    position_embedding: B::Table,
    layers: PreNormLayers<B>,
    final_layer_norm: B::Norm,
    text_projection: Option<B::Linear>,
    dim: usize,
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
        let loader = Loader::new(weights, &backend);
        let (text, dim) = (&config.text, config.projection_dim);
        let sizes = PreNormSizes {
            width: text.hidden_size,
            inner: text.intermediate_size,
            layers: text.num_hidden_layers,
            heads: text.num_attention_heads,
            eps: text.layer_norm_eps,
            activation: Activation::of_config(&text.hidden_act, weights.path())?,
        };
        let width = sizes.width;
        let embedding = |name: &str, rows: usize| {
            loader.table(&format!("text_model.embeddings.{name}.weight"), [rows, width])
        };
        Ok(TextTower {
            token_embedding: embedding("token_embedding", text.vocab_size)?,
            position_embedding: embedding("position_embedding", text.max_position_embeddings)?,
            layers: loader.pre_norm_layers("text_model.encoder", &sizes)?,
            final_layer_norm: loader.layer_norm("text_model.final_layer_norm", width, sizes.eps)?,
            text_projection: text.parts.head.load(&loader, "text_projection", [dim, width])?,
            dim,
            batch_nodes: backend.batch_nodes(compute.batch_tokens, sizes.token_bytes()),
            backend,
        })
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
        let encoded = encoded.iter().flat_map(|rows| rows.chunks_exact(self.dim));
        numbers.zip(encoded).for_each(|(number, row)| sources[number] = row);
        let mut rows = vec![0.0; tokens.len() * self.dim];
        let copies = rows.par_chunks_exact_mut(self.dim).with_min_len(ROWS).zip(&sources);
        copies.filter(|(_, from)| !from.is_empty()).for_each(|(to, from)| to.copy_from_slice(from));
        Embeddings::new(self.dim, rows)
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
            self.embed_nodes(work, &trie)?;
            let scope = backend.scope(Scope::Lists(lists(&trie)))?;
            self.layers.extend(backend, work, &scope, &mut prefix.cache)
        });
        if extended.is_err() {
            prefix.truncate(backend, shared); // some layers may have more rows than others
        }
        extended
    }

    /// Writes the embeddings of the nodes' tokens and positions to the rows (nodes, width)
    /// of `work`.
    fn embed_nodes(&self, work: &mut Workspace<B>, trie: &Trie) -> Result<()> {
        let tokens = (&self.token_embedding, trie.ids());
        let positions = (&self.position_embedding, trie.depths());
        self.backend.lookup_sum([tokens, positions], &mut work.rows)
    }

    /// Returns the rows (sequences, dim) at the last node of each sequence of `trie`.
    fn forward(
        &self,
        work: &mut Workspace<B>,
        trie: &Trie,
        cache: &KvCache<B>,
    ) -> Result<Vec<f32>> {
        let (backend, lists) = (&self.backend, lists(trie));
        self.embed_nodes(work, trie)?;
        let ends = Readout::lists(backend, &lists, trie.ends())?;
        let scope = backend.scope(Scope::Lists(lists))?;
        self.layers.forward(backend, work, &scope, &mut Kv::Read(cache), Some(&ends))?;
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.final_layer_norm, rows, normed)?;
        download(backend, self.text_projection.as_ref(), normed)
    }
}

/// Returns the rows that each node attends to: its ancestors and itself.
fn lists(trie: &Trie) -> RowLists {
    RowLists::new(trie.ids().len(), |node, rows| trie.attended_rows(node, rows))
}
