//! The transformer in the tensor engine's operations, for its devices.
//!
//! The layers are those of `bert`. Sequences go through in batches of like lengths,
//! shortest first, each padded to the longest of its batch: nothing attends to what is
//! padded, and no mean counts it.

#[cfg(test)]
mod tests;

use std::ops::Range;

use candle_core::{Device, Result, Tensor};
use candle_transformers::models::bert::Config;

use super::embedding::Embedding;
use super::known;
use super::layer::Layer;
use crate::Result as Checked;
use crate::encoder::Tokens;
use crate::nn::engine::{Dense, MORE, Norm, dense, groups, norm};
use crate::nn::{Activation, Compute};
use crate::rank::device::halving;
use crate::weights::Weights;

/// BERT without its pooler, on a device.
#[derive(Debug)]
pub(super) struct Bert {
    device: Device,
    embedding: Embedding,
    norm: Norm,
    layers: Vec<Layer<Dense, Norm>>,
    batch_tokens: usize,
}

impl Bert {
    /// Takes every weight that `config` asks for, and refuses what nobody needs.
    pub(super) fn new(
        weights: Weights,
        config: &Config,
        compute: &Compute,
        device: &Device,
    ) -> Checked<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let embedding = Embedding::new(&weights, config)?;
        let dense = |name: &str, shape: [usize; 2]| {
            dense(&weights, name, &shape, compute.precision, device)
        };
        let norm = |name: &str| norm(&weights, name, dim, eps, device);
        let layer = |number| Layer::new(number, config, dense, norm);
        let layers = (0..config.num_hidden_layers).map(layer).collect::<Checked<_>>()?;
        let norm = norm("embeddings.LayerNorm")?;
        weights.finish(known)?;
        let batch_tokens = compute.batch_tokens.saturating_mul(MORE);
        Ok(Bert { device: device.clone(), embedding, norm, layers, batch_tokens })
    }

    /// The means (sequences, dim) over the last states of each sequence; zeros for one
    /// without a token.
    ///
    /// # Errors
    /// [`crate::Error::TokenSequence`] for an id or a length beyond the checkpoint's,
    /// [`crate::Error::DeviceMemory`], [`crate::Error::Engine`].
    pub(super) fn means(&self, tokens: &Tokens) -> Checked<Vec<f32>> {
        let dim = self.embedding.dim();
        let length = |row: &usize| tokens.get(*row).map_or(0, <[u32]>::len);
        let mut rows: Vec<usize> = (0..tokens.len()).filter(|row| length(row) > 0).collect();
        rows.sort_by_key(length);
        let lengths: Vec<usize> = rows.iter().map(length).collect();
        let mut means = vec![0.0; tokens.len() * dim];
        for batch in batches(&lengths, self.batch_tokens) {
            let rows = &rows[batch];
            let mut embedded = Vec::new();
            let append = |&row: &usize| self.embedding.append(tokens, row, &mut embedded);
            let spans: Vec<Range<usize>> = rows.iter().map(append).collect::<Checked<_>>()?;
            let found = halving("encoding sentences", rows.len(), rows.len(), |part| {
                let sequences: Vec<&[f32]> =
                    spans[part].iter().map(|span| &embedded[span.clone()]).collect();
                self.encode(&sequences)
            })?;
            for (row, mean) in rows.iter().zip(found.concat()) {
                means[row * dim..][..dim].copy_from_slice(&mean);
            }
        }
        Ok(means)
    }

    /// The means of `sequences`, each (its tokens, dim) and of one token at least.
    fn encode(&self, sequences: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let (count, dim) = (sequences.len(), self.embedding.dim());
        let lengths = || sequences.iter().map(|sequence| sequence.len() / dim);
        let (least, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
        let mut rows = vec![0.0; count * longest * dim];
        let mut mask = vec![f32::NEG_INFINITY; count * longest];
        let mut shares = vec![0.0; count * longest];
        for (number, (sequence, length)) in sequences.iter().zip(lengths()).enumerate() {
            rows[number * longest * dim..][..sequence.len()].copy_from_slice(sequence);
            mask[number * longest..][..length].fill(0.0);
            shares[number * longest..][..length].fill(1.0 / length as f32);
        }
        let rows = Tensor::from_vec(rows, (count * longest, dim), &self.device)?;
        let mask = Tensor::from_vec(mask, (count, 1, 1, longest), &self.device)?;
        let shares = Tensor::from_vec(shares, (count, longest, 1), &self.device)?;
        let mask = (least < longest).then_some(&mask);
        let mut states = self.norm.forward(&rows)?;
        for layer in &self.layers {
            states = layer.forward(count, &states, mask)?;
        }
        states.reshape((count, longest, dim))?.broadcast_mul(&shares)?.sum(1)?.to_vec2()
    }
}

impl Layer<Dense, Norm> {
    fn forward(&self, count: usize, states: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (query, key) = (self.query.forward(states)?, self.key.forward(states)?);
        let value = self.value.forward(states)?;
        let context = groups(self.heads, count, [&query, &key, &value], mask)?;
        let plain = Activation::None;
        let sums = self.attention_output.forward_with(&context, plain, Some(states))?;
        let attended = self.attention_norm.forward(&sums)?;
        let inner = self.intermediate.forward_with(&attended, Activation::Gelu, None)?;
        let sums = self.output.forward_with(&inner, plain, Some(&attended))?;
        self.output_norm.forward(&sums)
    }
}

/// Ranges of sequences of such `lengths`, ascending, that padded to their longest hold
/// `budget` tokens at most, or one sequence that alone has more.
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
