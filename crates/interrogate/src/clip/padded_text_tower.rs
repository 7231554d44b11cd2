//! The text tower of SigLIP on a backend: padded token sequences to embeddings.
//!
//! Follows `SiglipTextModel` of transformers 5.23
//! (src/transformers/models/siglip/modeling_siglip.py). Every position attends to all others,
//! padding included, and the embedding is read at the last one. So no sequence shares the
//! computation of another, and none may be computed at its own length: each costs the whole
//! context length.

use super::config::Config;
use super::text_layers::{DEVICE_CALLS, TextLayers};
use crate::Result;
use crate::encoder::{Calls, Embeddings, Tokens};
use crate::nn::{Backend, Compute, Kv, Readout, Scope, Workspace};
use crate::weights::Weights;

/// The text tower on one backend.
#[derive(Debug)]
pub(super) struct PaddedTextTower<B: Backend> {
    backend: B,
    text: TextLayers<B>,
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
        let context_length = config.text.max_position_embeddings;
        Ok(PaddedTextTower {
            text: TextLayers::load(weights, config, &backend)?,
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
        Embeddings::new(self.text.dim, encoded.concat())
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
        self.text.embed(backend, work, ids, &positions)?;
        let last: Vec<u32> =
            (1..=sequences).map(|sequence| (sequence * length - 1) as u32).collect();
        let last = Readout::groups(backend, sequences, &last)?;
        let scope = backend.scope(Scope::Groups(sequences))?;
        self.text.layers.forward(backend, work, &scope, &mut Kv::None, Some(&last))?;
        self.text.project(backend, work)
    }
}
