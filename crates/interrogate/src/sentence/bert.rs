//! The transformer: token ids in, means over each sequence's tokens out.
//!
//! Owns the order of the steps; the names and shapes of the checkpoint are `layer`'s.
//! Knows nothing of texts. candle-transformers has this model too and tests hold
//! ours to it; but it spends more time between the products than in them.

use std::ops::Range;

use candle_core::Tensor;
use candle_transformers::models::bert::Config;

use super::embedding::Embedding;
use super::known;
use super::layer::Layer;
use crate::Result;
use crate::encoder::Tokens;
use crate::nn::attention::{Seen, chains};
use crate::nn::{Activation, Compute, Epilogue, LayerNorm, Linear, Precision};
use crate::weights::Weights;

/// BERT (Devlin et al., arXiv 1810.04805) without its pooler, on the CPU.
#[derive(Debug)]
pub(super) struct Bert {
    embedding: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer<Linear, LayerNorm>>,
}

/// States (tokens, dim), and room for what a layer makes of them.
#[derive(Debug, Default)]
struct Room {
    states: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    /// What attention gives.
    contexts: Vec<f32>,
    /// States between attention and the MLP, before their norm and after it.
    sums: Vec<f32>,
    attended: Vec<f32>,
    /// The wide side of the MLP.
    inner: Vec<f32>,
}

impl Bert {
    /// Takes every weight that `config` asks for, and refuses any other but the
    /// pooler's and the position numbers, which sentence embeddings do not use.
    pub(super) fn new(weights: Weights, config: &Config, compute: &Compute) -> Result<Self> {
        let embedding = Embedding::new(&weights, config)?;
        let linear = |name: &str, shape| linear(&weights, name, shape, compute.precision);
        let norm = |name: &str| norm(&weights, name, config);
        let layer = |number| Layer::new(number, config, linear, norm);
        let layers = (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?;
        let norm = norm("embeddings.LayerNorm")?;
        weights.finish(known)?;
        Ok(Bert { embedding, norm, layers })
    }

    /// The means (sequences, dim) over the last states of each sequence that
    /// `tokens` has in `rows`; zeros for one without a token. Sequences lie flat
    /// behind one another, whatever their lengths.
    ///
    /// # Errors
    /// [`crate::Error::TokenSequence`] for an id or a length beyond the checkpoint's.
    pub(super) fn means(&self, tokens: &Tokens, rows: Range<usize>) -> Result<Vec<f32>> {
        let dim = self.embedding.dim();
        let mut room = Room::default();
        let mut embedded = Vec::new();
        // Of each token the span of its sequence.
        let mut spans = Vec::new();
        for row in rows.clone() {
            let length = self.embedding.append(tokens, row, &mut embedded)?.len() / dim;
            let start = spans.len() as u32;
            spans.resize(spans.len() + length, start..start + length as u32);
        }
        room.states.resize(embedded.len(), 0.0);
        self.norm.apply(&embedded, &mut room.states)?;
        for layer in &self.layers {
            layer.forward(&mut room, dim, &spans)?;
        }
        let mut means = vec![0.0; rows.len() * dim];
        let mut states = room.states.chunks_exact(dim);
        for (row, mean) in rows.zip(means.chunks_exact_mut(dim)) {
            let length = tokens.get(row).unwrap_or_default().len();
            for state in states.by_ref().take(length) {
                mean.iter_mut().zip(state).for_each(|(mean, v)| *mean += v);
            }
            mean.iter_mut().for_each(|mean| *mean /= length.max(1) as f32);
        }
        Ok(means)
    }
}

impl Layer<Linear, LayerNorm> {
    fn forward(&self, room: &mut Room, dim: usize, spans: &[Range<u32>]) -> Result<()> {
        let Room { states, queries, keys, values, contexts, sums, attended, inner } = room;
        let n = spans.len();
        for to in [&mut *queries, keys, values, contexts, sums, attended] {
            to.resize(n * dim, 0.0);
        }
        inner.resize(n * self.intermediate.outputs(), 0.0);
        self.query.apply(states, n, queries, Epilogue::default())?;
        self.key.apply(states, n, keys, Epilogue::default())?;
        self.value.apply(states, n, values, Epilogue::default())?;
        let seen = Seen { keys, values };
        let span = |token: usize, rows: &mut Vec<u32>| rows.extend(spans[token].clone());
        chains(self.heads, dim, queries, seen, span, contexts);
        let plus = |residual| Epilogue { residual: Some(residual), ..Epilogue::default() };
        self.attention_output.apply(contexts, n, sums, plus(states))?;
        self.attention_norm.apply(sums, attended)?;
        let gelu = Epilogue { activation: Activation::Gelu, residual: None };
        self.intermediate.apply(attended, n, inner, gelu)?;
        self.output.apply(inner, n, sums, plus(attended))?;
        self.output_norm.apply(sums, states)
    }
}

/// The product with `{name}.weight` (out, in) and `{name}.bias`.
fn linear(
    weights: &Weights,
    name: &str,
    [outputs, inputs]: [usize; 2],
    precision: Precision,
) -> Result<Linear> {
    let weight = weights.take(&format!("{name}.weight"), &[outputs, inputs])?;
    let bias = weights.take(&format!("{name}.bias"), &[outputs])?;
    Linear::new(&weight, Some(&bias), precision)
}

/// The layer norm of `{name}.weight` and `{name}.bias`.
fn norm(weights: &Weights, name: &str, config: &Config) -> Result<LayerNorm> {
    let take = |part: &str| -> Result<Tensor> {
        weights.take(&format!("{name}.{part}"), &[config.hidden_size])
    };
    LayerNorm::new(&take("weight")?, &take("bias")?, config.layer_norm_eps)
}
