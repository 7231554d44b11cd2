//! Flan-T5, the language model of blip2-flan-t5-xl: an encoder that reads the
//! queries and the prompt, and a decoder that writes.
//!
//! `modeling_t5.py` of transformers 5.23 (Raffel et al., arXiv 1910.10683).
//! Positions are told by a bias on attention that grows coarser with distance;
//! products of queries and keys are not scaled.

use candle_core::{Device, Tensor};

use super::super::attention::{self, Cache, Heads};
use super::super::checkpoint::Checkpoint;
use super::super::generate::{Decoder, Input, Memory, Row, Step};
use super::super::linear::Linear;
use super::super::norm::RmsNorm;
use super::super::states::States;
use super::super::stored::Stored;
use super::config::T5 as Config;
use crate::nn::Activation;
use crate::{Error, Result};

/// Encoder, decoder and head.
#[derive(Debug)]
pub(super) struct T5 {
    config: Config,
    end: Vec<u32>,
    /// (vocab, dim).
    shared: Stored,
    encoder: Stack,
    decoder: Stack,
    head: Linear,
}

/// One of the two halves.
#[derive(Debug)]
struct Stack {
    /// (buckets, heads).
    bias: Vec<f32>,
    blocks: Vec<Block>,
    norm: RmsNorm,
}

#[derive(Debug)]
struct Block {
    attention: Attention,
    /// To the encoder's states, in the decoder.
    across: Option<Attention>,
    wi: Linear,
    gate: Option<Linear>,
    wo: Linear,
    norm: RmsNorm,
}

#[derive(Debug)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    norm: RmsNorm,
}

impl T5 {
    /// Takes the weights under `language_model`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(weights: &Checkpoint, config: Config) -> Result<Self> {
        let (vocab, dim) = (config.vocab_size, config.d_model);
        let shared = weights.stored("language_model.shared.weight", &[vocab, dim])?;
        // Some files repeat the table for each half, and the head if it is tied.
        let encoder = Stack::load(weights, &config, "encoder", config.num_layers)?;
        let decoder = Stack::load(weights, &config, "decoder", config.decoder_layers())?;
        let head = match weights.contains("language_model.lm_head.weight") {
            true => weights.linear("language_model.lm_head", vocab, dim, false)?,
            false => weights.linear_of(shared.clone(), dim, None)?,
        };
        let end = config.eos_token_id.tokens();
        Ok(T5 { config, end, shared, encoder, decoder, head })
    }

    fn heads(&self) -> Heads {
        Heads { count: self.config.num_heads, scale: 1.0 }
    }

    /// The rows of `inputs`, (inputs, dim).
    fn embed<'e>(&self, inputs: impl ExactSizeIterator<Item = Input<&'e [f32]>>) -> States {
        let dim = self.config.d_model;
        let mut states = States::zeros(inputs.len(), dim);
        for (input, out) in inputs.zip(states.values_mut().chunks_exact_mut(dim)) {
            match input {
                Input::Token(token) => self.shared.widen(token as usize * dim, out),
                Input::Embedding(values) => out.copy_from_slice(values),
            }
        }
        states
    }

    /// The memories of `images` images that the encoder reads, all `inputs`
    /// (images * places) one behind the other.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub(super) fn memories(
        &self,
        images: usize,
        inputs: Vec<Input<&[f32]>>,
    ) -> Result<Vec<Memory>> {
        let places = inputs.len() / images.max(1);
        let mut states = self.embed(inputs.into_iter());
        let bias =
            self.encoder_bias(places).map_err(Error::engine("place the encoder's states"))?;
        for block in &self.encoder.blocks {
            let normed = block.attention.norm.forward(&states);
            let [q, k, v] = block.attention.project(&normed, &normed)?;
            let seen = attention::whole(images, self.heads(), [&q, &k, &v], Some(&bias))?;
            states.add(&block.attention.o.forward(&seen)?);
            block.feed_forward(&self.config, &mut states)?;
        }
        let states = self.encoder.norm.forward(&states);

        // The decoder's keys and values of them, once for all steps.
        let mut across: Vec<Vec<Cache>> = vec![Vec::new(); images];
        for block in &self.decoder.blocks {
            let Some(attention) = &block.across else { continue };
            let (key, value) = (attention.k.forward(&states)?, attention.v.forward(&states)?);
            let part = places * key.dim();
            let parts = key.values().chunks_exact(part).zip(value.values().chunks_exact(part));
            for (across, (key, value)) in across.iter_mut().zip(parts) {
                across.push(Cache::new(key.to_vec(), value.to_vec()));
            }
        }
        let layers = self.decoder.blocks.len();
        Ok(across.into_iter().map(|across| Memory::new(layers, across)).collect())
    }

    /// (heads, places, places).
    fn encoder_bias(&self, places: usize) -> candle_core::Result<Tensor> {
        let heads = self.config.num_heads;
        let mut bias = Vec::with_capacity(heads * places * places);
        for head in 0..heads {
            for query in 0..places {
                let value = |key: usize| {
                    let bucket = bucket_both(&self.config, key as isize - query as isize);
                    self.encoder.bias[bucket * heads + head]
                };
                bias.extend((0..places).map(value));
            }
        }
        Tensor::from_vec(bias, (heads, places, places), &Device::Cpu)
    }
}

impl Decoder for T5 {
    fn vocab(&self) -> usize {
        self.config.vocab_size
    }

    /// Relative positions have no end.
    fn positions(&self) -> usize {
        usize::MAX
    }

    fn end(&self) -> &[u32] {
        &self.end
    }

    fn hidden(&self, memories: &mut [Memory], rows: &[Row<'_>]) -> Result<States> {
        let step = Step::new(memories, rows);
        let mut states = self.embed(rows.iter().map(|row| row.input.clone()));
        let count = self.config.num_heads;
        let bias = |head: usize, place: usize, position: usize| {
            self.decoder.bias[bucket_back(&self.config, position - place) * count + head]
        };
        for (number, block) in self.decoder.blocks.iter().enumerate() {
            let normed = block.attention.norm.forward(&states);
            let [q, k, v] = block.attention.project(&normed, &normed)?;
            step.remember(memories, number, k.rows(), v.rows());
            let seen = step.attend(memories, number, self.heads(), &q, bias);
            states.add(&block.attention.o.forward(&seen)?);
            if let Some(across) = &block.across {
                let query = across.q.forward(&across.norm.forward(&states))?;
                let seen = step.attend_across(memories, number, self.heads(), &query);
                states.add(&across.o.forward(&seen)?);
            }
            block.feed_forward(&self.config, &mut states)?;
        }
        let mut states = self.decoder.norm.forward(&states);
        if self.config.scaled() {
            let scale = 1.0 / (self.config.d_model as f32).sqrt();
            states.values_mut().iter_mut().for_each(|v| *v *= scale);
        }
        Ok(states)
    }

    fn logits(&self, hidden: &States) -> Result<States> {
        self.head.forward(hidden)
    }
}

impl Stack {
    fn load(weights: &Checkpoint, config: &Config, half: &str, blocks: usize) -> Result<Self> {
        let (dim, eps) = (config.d_model, config.layer_norm_epsilon);
        let inner = config.num_heads * config.d_kv;
        let at = |name: &str| format!("language_model.{half}.{name}");
        let table = [config.relative_attention_num_buckets, config.num_heads];
        let bias = at("block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let bias = match blocks {
            0 => Vec::new(),
            _ => weights.values(&bias, &table)?,
        };
        let blocks = (0..blocks)
            .map(|number| {
                let at =
                    |layer: usize, name: &str| at(&format!("block.{number}.layer.{layer}.{name}"));
                let attention = |layer: usize, name: &str| -> Result<Attention> {
                    let square = |part: &str, outputs, inputs| {
                        weights.linear(
                            &at(layer, &format!("{name}.{part}")),
                            outputs,
                            inputs,
                            false,
                        )
                    };
                    Ok(Attention {
                        q: square("q", inner, dim)?,
                        k: square("k", inner, dim)?,
                        v: square("v", inner, dim)?,
                        o: square("o", dim, inner)?,
                        norm: weights.rms_norm(&at(layer, "layer_norm"), dim, eps)?,
                    })
                };
                let across = match half {
                    "decoder" => Some(attention(1, "EncDecAttention")?),
                    _ => None,
                };
                let last = 1 + usize::from(across.is_some());
                let gated = config.feed_forward().is_some_and(|(gated, _)| gated);
                let wide = |name: &str| {
                    let name = at(last, &format!("DenseReluDense.{name}"));
                    weights.linear(&name, config.d_ff, dim, false)
                };
                Ok(Block {
                    attention: attention(0, "SelfAttention")?,
                    across,
                    wi: wide(if gated { "wi_0" } else { "wi" })?,
                    gate: if gated { Some(wide("wi_1")?) } else { None },
                    wo: weights.linear(&at(last, "DenseReluDense.wo"), dim, config.d_ff, false)?,
                    norm: weights.rms_norm(&at(last, "layer_norm"), dim, eps)?,
                })
            })
            .collect::<Result<_>>()?;
        let norm = weights.rms_norm(&at("final_layer_norm"), dim, eps)?;
        Ok(Stack { bias, blocks, norm })
    }
}

impl Attention {
    /// Queries of `states`, keys and values of `seen`.
    fn project(&self, states: &States, seen: &States) -> Result<[States; 3]> {
        Ok([self.q.forward(states)?, self.k.forward(seen)?, self.v.forward(seen)?])
    }
}

impl Block {
    fn feed_forward(&self, config: &Config, states: &mut States) -> Result<()> {
        // check() of the configuration let no other through.
        let (_, activation) = config.feed_forward().unwrap_or((false, Activation::Relu));
        let normed = self.norm.forward(states);
        let mut wide = self.wi.forward_with(&normed, activation)?;
        if let Some(gate) = &self.gate {
            let gate = gate.forward(&normed)?;
            wide.values_mut().iter_mut().zip(gate.values()).for_each(|(w, g)| *w *= g);
        }
        states.add(&self.wo.forward(&wide)?);
        Ok(())
    }
}

/// The bucket of a key `offset` places after its query, or before it: half of
/// the buckets each (`_relative_position_bucket`, bidirectional).
fn bucket_both(config: &Config, offset: isize) -> usize {
    let half = config.relative_attention_num_buckets / 2;
    let after = if offset > 0 { half } else { 0 };
    after + bucket(half, config.relative_attention_max_distance, offset.unsigned_abs())
}

/// The bucket of a key so many places before its query.
fn bucket_back(config: &Config, distance: usize) -> usize {
    let buckets = config.relative_attention_num_buckets;
    bucket(buckets, config.relative_attention_max_distance, distance)
}

/// One bucket a distance in the first half, then ever wider ones up to `far`.
fn bucket(buckets: usize, far: usize, distance: usize) -> usize {
    let exact = buckets / 2;
    if distance < exact {
        return distance;
    }
    // In f32 as the reference, so that a distance on an edge falls alike.
    let (distance, exact_f) = (distance as f32, exact as f32);
    let share = (distance / exact_f).ln() / (far as f32 / exact_f).ln();
    (exact + (share * (buckets - exact) as f32) as usize).min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `T5Attention._relative_position_bucket` of transformers 5.23 over
    /// distances 0, 1, 7, 8, 15, 16, 20, 64, 127, 128, 1000.
    #[test]
    fn distances_fall_into_the_buckets_of_the_reference() {
        let config = Config::default();
        let distances = [0usize, 1, 7, 8, 15, 16, 20, 64, 127, 128, 1000];
        let back = distances.map(|d| bucket_back(&config, d));
        assert_eq!(back, BACK);
        let before = distances.map(|d| bucket_both(&config, -(d as isize)));
        assert_eq!(before, BEFORE);
        let after = distances[1..].iter().map(|&d| bucket_both(&config, d as isize));
        assert_eq!(
            after.collect::<Vec<_>>(),
            BEFORE[1..].iter().map(|b| b + 16).collect::<Vec<_>>()
        );
    }

    const BACK: [usize; 11] = [0, 1, 7, 8, 15, 16, 17, 26, 31, 31, 31];
    const BEFORE: [usize; 11] = [0, 1, 7, 8, 9, 10, 10, 14, 15, 15, 15];
}
