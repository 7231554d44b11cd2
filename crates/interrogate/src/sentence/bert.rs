//! BERT (Devlin et al., arXiv 1810.04805) without its pooler: token ids to the mean of the
//! last states of each sequence.
//!
//! Tests compare it with candle-transformers' BERT, which spends more time between matrix
//! products than in them.

use std::fmt::Debug;
use std::ops::Range;

use super::config::Config;
use super::is_ignored;
use crate::encoder::{Tokens, check_vocabulary};
use crate::error::CheckpointError;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Activation, Backend, Compute, Kv, Loader, PostNormLayer, Scope, Span, Workspace};
use crate::weights::{Values, Weights};
use crate::{Error, Result};

/// BERT on any backend.
pub(super) trait Tower: Debug + Send + Sync {
    /// Returns the means (sequences, dim) over the last states of each sequence; zeros for an
    /// empty sequence.
    ///
    /// # Errors
    /// [`CheckpointError::TokenSequence`] for an id or a length beyond the checkpoint's,
    /// [`DeviceError::OutOfMemory`], [`DeviceError::Tensors`].
    fn mean_pool(&self, tokens: &Tokens) -> Result<Vec<f32>>;
}

/// BERT on one backend.
#[derive(Debug)]
pub(super) struct Bert<B: Backend> {
    backend: B,
    word_embeddings: B::Table,
    /// The sums of the position embeddings and the embedding of the first token type.
    position_embeddings: B::Table,
    norm: B::Norm,
    layers: Vec<PostNormLayer<B>>,
    dim: usize,
    vocabulary: usize,
    positions: usize,
    batch_tokens: usize,
}

impl<B: Backend> Bert<B> {
    /// Loads all weights of `config`. Refuses other weights, except those of the pooler and
    /// the position ids.
    pub(super) fn load(
        weights: Weights,
        config: &Config,
        compute: &Compute,
        backend: B,
    ) -> Result<Self> {
        let loader = Loader::new(&weights, &backend);
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let (inner, heads) = (config.intermediate_size, config.num_attention_heads);
        let embeddings = |name: &str| format!("embeddings.{name}_embeddings.weight");
        let positions = config.max_position_embeddings;
        let mut position_rows = loader.values(&embeddings("position"), &[positions, dim])?;
        let types = loader.values(&embeddings("token_type"), &[config.type_vocab_size, dim])?;
        for position in position_rows.chunks_exact_mut(dim) {
            position.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
        }
        let layer = |number: usize| {
            let at = |part: &str| format!("encoder.layer.{number}.{part}");
            Ok(PostNormLayer {
                attention: loader.attention(&at("attention"), "self", [heads, dim, dim], eps)?,
                crossattention: None,
                activation: Activation::Gelu,
                intermediate: loader.linear(&at("intermediate.dense"), [inner, dim])?,
                output: loader.linear(&at("output.dense"), [dim, inner])?,
                norm: loader.layer_norm(&at("output.LayerNorm"), dim, eps)?,
            })
        };
        let bert = Bert {
            word_embeddings: loader.table(&embeddings("word"), [config.vocab_size, dim])?,
            position_embeddings: backend.table(Values::owned(&position_rows), dim)?,
            norm: loader.layer_norm("embeddings.LayerNorm", dim, eps)?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            dim,
            vocabulary: config.vocab_size,
            positions,
            batch_tokens: backend.batch_tokens(compute.batch_tokens),
            backend: backend.clone(),
        };
        weights.finish(is_ignored)?;
        Ok(bert)
    }

    fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        if ids.len() > self.positions {
            let expected = format!("at most {} tokens", self.positions);
            let found = format!("{} tokens", ids.len());
            return Err(Error::Checkpoint(CheckpointError::TokenSequence { row, expected, found }));
        }
        check_vocabulary(row, ids, self.vocabulary)
    }

    /// Returns the means of `sequences`, each of at least one token.
    fn forward(&self, work: &mut Workspace<B>, sequences: &[&[u32]]) -> Result<Vec<f32>> {
        let backend = &self.backend;
        let mut start = 0;
        let spans = sequences.iter().map(|ids| {
            let own = start..start + ids.len();
            start = own.end;
            Span { queries: own.clone(), rows: own }
        });
        let spans: Vec<Span> = spans.collect();
        let ids = sequences.concat();
        let positions: Vec<u32> = sequences.iter().flat_map(|ids| 0..ids.len() as u32).collect();
        let Workspace { rows, next, .. } = work;
        let embeddings =
            [(&self.word_embeddings, &ids[..]), (&self.position_embeddings, &positions[..])];
        backend.lookup_sum(embeddings, next)?;
        backend.normalize(&self.norm, next, rows)?;
        let scope = backend.scope(Scope::Spans(spans))?;
        for (number, layer) in self.layers.iter().enumerate() {
            layer.forward(backend, number, work, (&scope, &mut Kv::None), None)?;
        }
        let mut means = B::Rows::default();
        backend.means(&work.rows, &scope, &mut means)?;
        backend.download(means)
    }
}

impl<B: Backend> Tower for Bert<B> {
    fn mean_pool(&self, tokens: &Tokens) -> Result<Vec<f32>> {
        tokens.iter().enumerate().try_for_each(|(row, ids)| self.check(row, ids))?;
        let length = |row: &usize| tokens.get(*row).map_or(0, <[u32]>::len);
        let mut rows: Vec<usize> = (0..tokens.len()).filter(|row| length(row) > 0).collect();
        // Batches of similar lengths, because a device pads to the longest.
        rows.sort_by_key(length);
        let lengths: Vec<usize> = rows.iter().map(length).collect();
        let batches = batches(&lengths, self.batch_tokens);
        let found =
            self.backend.each("encoding sentences", batches.into_iter(), |work, batch| {
                let ids = rows[batch].iter().map(|&row| tokens.get(row).unwrap_or_default());
                self.forward(work, &ids.collect::<Vec<_>>())
            })?;
        let mut means = vec![0.0; tokens.len() * self.dim];
        let found = found.iter().flat_map(|means| means.chunks_exact(self.dim));
        for (row, mean) in rows.iter().zip(found) {
            means[row * self.dim..][..self.dim].copy_from_slice(mean);
        }
        Ok(means)
    }
}

/// Splits sequences of ascending `lengths` into batches. Padded to its longest sequence, a
/// batch has at most `budget` tokens, or is a single sequence.
fn batches(lengths: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut start = 0;
    for (end, length) in lengths.iter().enumerate() {
        if end > start && (end + 1 - start).saturating_mul(*length) > budget {
            batches.push(start..end);
            start = end;
        }
    }
    if start < lengths.len() {
        batches.push(start..lengths.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch_within_the_budget(
            mut lengths in prop::collection::vec(1usize..12, 0..60),
            budget in 1usize..40,
        ) {
            lengths.sort_unstable();
            let mut covered = 0;
            for batch in batches(&lengths, budget) {
                prop_assert_eq!(batch.start, covered);
                prop_assert!(batch.len() * lengths[batch.end - 1] <= budget || batch.len() == 1);
                covered = batch.end;
            }
            prop_assert_eq!(covered, lengths.len());
        }
    }
}
