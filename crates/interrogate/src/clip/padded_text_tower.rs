//! The text tower of SigLIP on a backend: padded token sequences to embeddings.
//!
//! Follows `SiglipTextModel` of transformers 5.23
//! (src/transformers/models/siglip/modeling_siglip.py). Every position attends to all others,
//! padding included, and the embedding is read at the last one. So no sequence shares the
//! computation of another, and none may be computed at its own length: each costs the whole
//! context length.

use super::config::Config;
use crate::Result;
use crate::encoder::{Calls, Embeddings, Tokens};
use crate::nn::{
    Activation, Backend, Compute, Kv, Loader, PreNormLayers, PreNormSizes, Readout, Scope,
    Workspace,
};
use crate::vision::download;
use crate::weights::Weights;

/// Calls for a device at a time: one is computed, one is queued, and one is prepared or copied
/// back.
const DEVICE_CALLS: usize = 3;

/// The text tower on one backend.
#[derive(Debug)]
pub(super) struct PaddedTextTower<B: Backend> {
    backend: B,
    token_embedding: B::Table,
    position_embedding: B::Table,
    layers: PreNormLayers<B>,
    final_layer_norm: B::Norm,
    text_projection: Option<B::Linear>,
    dim: usize,
    context_length: usize,
    /// The number of sequences per batch.
    batch: usize,
}

impl<B: Backend> PaddedTextTower<B> {
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
        let (width, context_length) = (sizes.width, text.max_position_embeddings);
        let embedding = |name: &str, rows: usize| {
            loader.table(&format!("text_model.embeddings.{name}.weight"), [rows, width])
        };
        Ok(PaddedTextTower {
            token_embedding: embedding("token_embedding", text.vocab_size)?,
            position_embedding: embedding("position_embedding", context_length)?,
            layers: loader.pre_norm_layers("text_model.encoder", &sizes)?,
            final_layer_norm: loader.layer_norm("text_model.final_layer_norm", width, sizes.eps)?,
            text_projection: text.parts.head.load(&loader, "text_projection", [dim, width])?,
            dim,
            context_length,
            batch: (backend.batch_tokens(compute.batch_tokens) / context_length).max(1),
            backend,
        })
    }

    /// Returns the embeddings of sequences that have the context length each.
    pub(super) fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        let batches = self.backend.batches(tokens.len(), self.batch);
        let encoded = self.backend.each("encoding texts", batches, |work, rows| {
            let ids: Vec<u32> =
                rows.flat_map(|row| tokens.get(row).unwrap_or_default()).copied().collect();
            self.forward(work, &ids)
        })?;
        Embeddings::new(self.dim, encoded.concat())
    }

    /// Returns how to embed many texts at full speed on a device: a call for each batch.
    pub(super) fn device_calls(&self) -> Calls {
        Calls { texts: self.batch, at_once: DEVICE_CALLS }
    }

    /// Returns the rows (sequences, dim) of the sequences `ids`, (sequences, context length).
    fn forward(&self, work: &mut Workspace<B>, ids: &[u32]) -> Result<Vec<f32>> {
        let (backend, length) = (&self.backend, self.context_length);
        let sequences = ids.len() / length;
        let positions: Vec<u32> = (0..length as u32).cycle().take(ids.len()).collect();
        let tables = [(&self.token_embedding, ids), (&self.position_embedding, &positions[..])];
        backend.lookup_sum(tables, &mut work.rows)?;
        let last: Vec<u32> =
            (1..=sequences).map(|sequence| (sequence * length - 1) as u32).collect();
        let last = Readout::groups(backend, sequences, &last)?;
        let scope = backend.scope(Scope::Groups(sequences))?;
        self.layers.forward(backend, work, &scope, &mut Kv::None, Some(&last))?;
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.final_layer_norm, rows, normed)?;
        download(backend, self.text_projection.as_ref(), normed)
    }
}
