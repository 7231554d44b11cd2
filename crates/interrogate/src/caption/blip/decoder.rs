//! BLIP's text decoder: a BERT that reads from left to right and attends to the
//! image in every layer.
//!
//! `modeling_blip_text.py` of transformers 5.23, `BlipTextLMHeadModel`.

use super::super::attention::{Cache, Heads};
use super::super::checkpoint::Checkpoint;
use super::super::generate::{Decoder, Input, Limits, Memory, Row, Step};
use super::super::linear::Linear;
use super::super::norm::LayerNorm;
use super::super::states::States;
use super::super::stored::Stored;
use super::config::Text as Config;
use crate::Result;

const PREFIX: &str = "text_decoder.bert";
const HEAD: &str = "text_decoder.cls.predictions";

/// The decoder and its head, which is tied to the embedding.
#[derive(Debug)]
pub(super) struct TextDecoder {
    config: Config,
    limits: Limits,
    /// (vocab, dim).
    words: Stored,
    /// (positions, dim).
    positions: Stored,
    norm: LayerNorm,
    layers: Vec<Layer>,
    transform: Linear,
    transform_norm: LayerNorm,
    decoder: Linear,
}

#[derive(Debug)]
struct Layer {
    attention: Attention,
    crossattention: Attention,
    intermediate: Linear,
    output: Linear,
    norm: LayerNorm,
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    dense: Linear,
    norm: LayerNorm,
}

impl TextDecoder {
    /// Takes the weights under `text_decoder`, for image states of `image_dim`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(weights: &Checkpoint, config: Config, image_dim: usize) -> Result<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let at = |name: &str| format!("{PREFIX}.embeddings.{name}");
        let words = weights.stored(&at("word_embeddings.weight"), &[config.vocab_size, dim])?;
        let places = config.max_position_embeddings;
        let positions = weights.stored(&at("position_embeddings.weight"), &[places, dim])?;
        let norm = weights.layer_norm(&at("LayerNorm"), dim, eps)?;
        let layers = (0..config.num_hidden_layers)
            .map(|number| {
                let at = |name: &str| format!("{PREFIX}.encoder.layer.{number}.{name}");
                let attention = |name: &str, seen: usize| -> Result<Attention> {
                    let at = |part: &str| at(&format!("{name}.{part}"));
                    Ok(Attention {
                        query: weights.linear(&at("self.query"), dim, dim, true)?,
                        key: weights.linear(&at("self.key"), dim, seen, true)?,
                        value: weights.linear(&at("self.value"), dim, seen, true)?,
                        dense: weights.linear(&at("output.dense"), dim, dim, true)?,
                        norm: weights.layer_norm(&at("output.LayerNorm"), dim, eps)?,
                    })
                };
                let wide = config.intermediate_size;
                Ok(Layer {
                    attention: attention("attention", dim)?,
                    crossattention: attention("crossattention", image_dim)?,
                    intermediate: weights.linear(&at("intermediate.dense"), wide, dim, true)?,
                    output: weights.linear(&at("output.dense"), dim, wide, true)?,
                    norm: weights.layer_norm(&at("output.LayerNorm"), dim, eps)?,
                })
            })
            .collect::<Result<_>>()?;
        let at = |name: &str| format!("{HEAD}.{name}");
        let transform = weights.linear(&at("transform.dense"), dim, dim, true)?;
        let transform_norm = weights.layer_norm(&at("transform.LayerNorm"), dim, eps)?;
        let bias = weights.values(&at("bias"), &[config.vocab_size])?;
        weights.tied(&at("decoder.weight"), &[config.vocab_size, dim], &words)?;
        let decoder = weights.linear_of(words.clone(), dim, Some(bias))?;
        Ok(TextDecoder {
            limits: config.limits(),
            config,
            words,
            positions,
            norm,
            layers,
            transform,
            transform_norm,
            decoder,
        })
    }

    /// The memories of images whose states are `seen` (images * places, dim):
    /// each layer's keys and values of them, once for all steps.
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    pub(super) fn memories(&self, places: usize, seen: &States) -> Result<Vec<Memory>> {
        let mut across: Vec<Vec<Cache>> = vec![Vec::new(); seen.len() / places];
        for layer in &self.layers {
            let key = layer.crossattention.key.forward(seen)?;
            let value = layer.crossattention.value.forward(seen)?;
            let part = places * key.dim();
            let parts = key.values().chunks_exact(part).zip(value.values().chunks_exact(part));
            for (across, (key, value)) in across.iter_mut().zip(parts) {
                across.push(Cache::new(key.to_vec(), value.to_vec()));
            }
        }
        let layers = self.layers.len();
        Ok(across.into_iter().map(|across| Memory::new(layers, across)).collect())
    }

    fn embed(&self, rows: &[Row<'_>]) -> States {
        let dim = self.config.hidden_size;
        let mut states = States::zeros(rows.len(), dim);
        let mut place = vec![0.0; dim];
        for (row, out) in rows.iter().zip(states.values_mut().chunks_exact_mut(dim)) {
            match row.input {
                Input::Token(token) => self.words.widen(token as usize * dim, out),
                Input::Embedding(values) => out.copy_from_slice(values),
            }
            self.positions.widen(row.position() * dim, &mut place);
            out.iter_mut().zip(&place).for_each(|(o, p)| *o += p);
        }
        self.norm.forward(&states)
    }
}

impl Attention {
    /// What was seen, joined to the states that looked, and normed.
    fn join(&self, seen: &States, states: &States) -> Result<States> {
        let mut out = self.dense.forward(seen)?;
        out.add(states);
        Ok(self.norm.forward(&out))
    }
}

impl Decoder for TextDecoder {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn hidden(&self, memories: &mut [Memory], rows: &[Row<'_>]) -> Result<States> {
        let heads = Heads::scaled(self.config.num_attention_heads, self.config.hidden_size);
        let step = Step::new(memories, rows);
        let mut states = self.embed(rows);
        for (number, layer) in self.layers.iter().enumerate() {
            let Attention { query, key, value, .. } = &layer.attention;
            let query = query.forward(&states)?;
            let (key, value) = (key.forward(&states)?, value.forward(&states)?);
            step.remember(memories, number, key.rows(), value.rows());
            let seen = step.attend(memories, number, heads, &query, |_, _, _| 0.0);
            states = layer.attention.join(&seen, &states)?;
            let query = layer.crossattention.query.forward(&states)?;
            let seen = step.attend_across(memories, number, heads, &query);
            states = layer.crossattention.join(&seen, &states)?;
            let wide = layer.intermediate.forward_with(&states, self.config.hidden_act)?;
            let mut out = layer.output.forward(&wide)?;
            out.add(&states);
            states = layer.norm.forward(&out);
        }
        Ok(states)
    }

    fn logits(&self, hidden: &States) -> Result<States> {
        let states = self.transform.forward_with(hidden, self.config.hidden_act)?;
        self.decoder.forward(&self.transform_norm.forward(&states))
    }
}
