//! The text tower: token sequences to embeddings.
//!
//! Follows `CLIPTextModel` and the text half of `CLIPModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py). One thing differs, and
//! changes no value: attention is causal and the embedding is read at
//! end-of-text, so what a rival pads behind it is never computed here.
//! Sequences lie flat behind one another, each token attending to its own
//! sequence up to itself.

use std::ops::Range;

use candle_core::{Device, Tensor};
use candle_nn::{LayerNorm, Module};

use super::activation::Activation;
use super::attention::Scope;
use super::config::Config;
use super::layer::{Encoder, Readout, Sizes, linear, norm};
use super::linear::Linear;
use super::tokenizer::Tokenizer;
use crate::encoder::{Embeddings, TextEncoder, Tokens};
use crate::weights::Weights;
use crate::{Error, Result};

/// Tokens that go through the tower at once. Large enough that the products run
/// at full speed, small enough that a layer's rows stay in the caches.
const BATCH: usize = 2048;

/// CLIP's text tower with its tokenizer.
#[derive(Debug)]
pub struct ClipText {
    tokenizer: Tokenizer,
    text_model: TextModel,
    text_projection: Linear,
    dim: usize,
}

impl ClipText {
    pub(super) fn new(weights: &Weights, config: &Config, tokenizer: Tokenizer) -> Result<Self> {
        let dim = config.projection_dim;
        let shape = [dim, config.text.hidden_size];
        Ok(ClipText {
            tokenizer,
            text_model: TextModel::new(weights, config)?,
            text_projection: linear(weights, "text_projection", shape, false)?,
            dim,
        })
    }

    /// Tokens in a sequence at most, start and end included.
    pub fn context_length(&self) -> usize {
        self.tokenizer.context_length()
    }

    /// The token that ends every sequence.
    pub fn end_of_text(&self) -> u32 {
        self.tokenizer.end_of_text()
    }

    /// The sequences of `tokens`, each cut behind its first end-of-text.
    fn cut<'a>(&self, tokens: &'a Tokens) -> Result<Vec<&'a [u32]>> {
        let (end, longest) = (self.end_of_text(), self.context_length());
        let cut = tokens.iter().enumerate().map(|(row, ids)| {
            let found = || match ids {
                _ if ids.len() > longest => format!("{} tokens", ids.len()),
                _ => format!("{} tokens without it", ids.len()),
            };
            let length = ids.iter().position(|&id| id == end).map(|at| at + 1);
            match length.filter(|&length| length <= longest) {
                Some(length) => Ok(&ids[..length]),
                None => Err(Error::TokenSequence {
                    row,
                    expected: format!("at most {longest} tokens that end with {end}"),
                    found: found(),
                }),
            }
        });
        cut.collect()
    }
}

impl TextEncoder for ClipText {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.tokenizer.tokenize(texts)
    }

    /// Reads each sequence at its first end-of-text, as transformers does;
    /// tokens behind it change nothing.
    ///
    /// # Errors
    /// As the trait says, and [`Error::TokenSequence`] for a sequence that has no
    /// end-of-text or is too long.
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        let mut values = Vec::with_capacity(tokens.len() * self.dim);
        for batch in batches(&self.cut(tokens)?) {
            let rows = self
                .text_model
                .forward(batch)
                .and_then(|rows| self.text_projection.forward(&rows)?.flatten_all()?.to_vec1())
                .map_err(Error::engine("embed texts"))?;
            values.extend_from_slice(&rows);
        }
        Embeddings::new(self.dim, values)
    }
}

/// Runs of sequences with [`BATCH`] tokens together, or a single longer one.
fn batches<'a>(mut left: &'a [&'a [u32]]) -> impl Iterator<Item = &'a [&'a [u32]]> {
    std::iter::from_fn(move || {
        let mut total = 0;
        let fits = left.iter().take_while(|ids| {
            total += ids.len();
            total <= BATCH
        });
        let (batch, rest) = left.split_at(fits.count().max(1).min(left.len()));
        left = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

#[derive(Debug)]
struct TextEmbeddings {
    token_embedding: Tensor,
    position_embedding: Tensor,
}

impl TextEmbeddings {
    fn new(weights: &Weights, prefix: &str, config: &Config) -> Result<Self> {
        let (config, width) = (&config.text, config.text.hidden_size);
        let take = |name, rows| weights.take(&format!("{prefix}.{name}.weight"), &[rows, width]);
        Ok(TextEmbeddings {
            token_embedding: take("token_embedding", config.vocab_size)?,
            position_embedding: take("position_embedding", config.max_position_embeddings)?,
        })
    }

    /// Token ids (n) and their positions (n) to rows (n, width). An id beyond
    /// the vocabulary is the engine's error.
    fn forward(&self, ids: &Tensor, positions: &Tensor) -> candle_core::Result<Tensor> {
        let tokens = self.token_embedding.index_select(ids, 0)?;
        tokens + self.position_embedding.index_select(positions, 0)?
    }
}

#[derive(Debug)]
struct TextModel {
    embeddings: TextEmbeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
}

impl TextModel {
    fn new(weights: &Weights, config: &Config) -> Result<Self> {
        let text = &config.text;
        let sizes = Sizes {
            width: text.hidden_size,
            inner: text.intermediate_size,
            layers: text.num_hidden_layers,
            heads: text.num_attention_heads,
            eps: text.layer_norm_eps,
            activation: Activation::named(&text.hidden_act, weights.path())?,
        };
        let eps = sizes.eps;
        Ok(TextModel {
            embeddings: TextEmbeddings::new(weights, "text_model.embeddings", config)?,
            encoder: Encoder::new(weights, "text_model.encoder", &sizes)?,
            final_layer_norm: norm(weights, "text_model.final_layer_norm", sizes.width, eps)?,
        })
    }

    /// Sequences to the state at their last token (sequences, width).
    fn forward(&self, sequences: &[&[u32]]) -> candle_core::Result<Tensor> {
        let flat = Flat::new(sequences);
        let tensor = |values: &[u32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
        let xs = self.embeddings.forward(&tensor(&flat.ids)?, &tensor(&flat.positions)?)?;
        let ends = tensor(&flat.ends)?;
        let readout = Readout { rows: &ends, scope: Scope::Spans(&flat.end_spans) };
        let xs = self.encoder.forward(xs, Scope::Spans(&flat.spans), &readout)?;
        self.final_layer_norm.forward(&xs)
    }
}

/// Sequences laid behind one another.
#[derive(Debug, Default, PartialEq)]
struct Flat {
    ids: Vec<u32>,
    positions: Vec<u32>,
    /// What each token attends to: its sequence up to itself.
    spans: Vec<Range<usize>>,
    /// The last token of each sequence, by number.
    ends: Vec<u32>,
    /// What those attend to.
    end_spans: Vec<Range<usize>>,
}

impl Flat {
    fn new(sequences: &[&[u32]]) -> Self {
        let mut flat = Flat::default();
        for ids in sequences {
            let start = flat.ids.len();
            flat.ids.extend_from_slice(ids);
            flat.positions.extend(0..ids.len() as u32);
            flat.spans.extend((start..flat.ids.len()).map(|at| start..at + 1));
            flat.end_spans.push(start..flat.ids.len());
            // A batch has far fewer than 2^32 tokens, and a sequence at least one.
            flat.ends.push(flat.ids.len() as u32 - 1);
        }
        flat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_attends_to_its_own_sequence_up_to_itself() {
        let flat = Flat::new(&[&[7, 9], &[7, 8, 9]]);
        assert_eq!(flat.ids, [7, 9, 7, 8, 9]);
        assert_eq!(flat.positions, [0, 1, 0, 1, 2]);
        assert_eq!(flat.spans, [0..1, 0..2, 2..3, 2..4, 2..5]);
        assert_eq!((flat.ends, flat.end_spans), (vec![1, 4], vec![0..2, 2..5]));
    }

    #[test]
    fn batches_keep_the_order_and_the_budget() {
        let (long, short) = (vec![1; BATCH - 3], vec![2; 2]);
        let huge = vec![3; BATCH + 1];
        let all: Vec<&[u32]> = vec![&long, &short, &short, &huge, &short];
        let sizes: Vec<usize> = batches(&all).map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert_eq!(batches(&[]).count(), 0);
    }
}
