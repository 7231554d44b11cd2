//! The weights that every text tower has: embeddings, layers, the last norm and the projection.

use super::config::Config;
use crate::Result;
use crate::nn::{Activation, Backend, Loader, PreNormLayers, PreNormSizes, Workspace};
use crate::vision::download;
use crate::weights::Weights;

/// Calls for a device at a time: one is computed, one is queued, and one is prepared or copied
/// back.
pub(super) const DEVICE_CALLS: usize = 3;

/// The weights of a text tower on one backend.
#[derive(Debug)]
pub(super) struct TextLayers<B: Backend> {
    token_embedding: B::Table,
    position_embedding: B::Table,
    pub(super) layers: PreNormLayers<B>,
    final_layer_norm: B::Norm,
    text_projection: Option<B::Linear>,
    /// The width of an embedding.
    pub(super) dim: usize,
    /// The bytes of a token's rows while a layer is computed.
    pub(super) token_bytes: usize,
}

impl<B: Backend> TextLayers<B> {
    pub(super) fn load(weights: &Weights, config: &Config, backend: &B) -> Result<Self> {
        let loader = Loader::new(weights, backend);
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
        Ok(TextLayers {
            token_embedding: embedding("token_embedding", text.vocab_size)?,
            position_embedding: embedding("position_embedding", text.max_position_embeddings)?,
            layers: loader.pre_norm_layers("text_model.encoder", &sizes)?,
            final_layer_norm: loader.layer_norm("text_model.final_layer_norm", width, sizes.eps)?,
            text_projection: text.parts.head.load(&loader, "text_projection", [dim, width])?,
            dim,
            token_bytes: sizes.token_bytes(),
        })
    }

    /// Writes the embeddings of tokens at `positions` to the rows (tokens, width) of `work`.
    pub(super) fn embed(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        ids: &[u32],
        positions: &[u32],
    ) -> Result<()> {
        let tables = [(&self.token_embedding, ids), (&self.position_embedding, positions)];
        backend.lookup_sum(tables, &mut work.rows)
    }

    /// Returns the embeddings (rows, dim) of the rows of `work` after the last layer.
    pub(super) fn project(&self, backend: &B, work: &mut Workspace<B>) -> Result<Vec<f32>> {
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.final_layer_norm, rows, normed)?;
        download(backend, self.text_projection.as_ref(), normed)
    }
}
