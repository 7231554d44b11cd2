//! Flan-T5, the language model of blip2-flan-t5-xl: an encoder that reads the
//! queries and the prompt, and a decoder that writes.
//!
//! `modeling_t5.py` of transformers 5.23 (Raffel et al., arXiv 1910.10683).
//! Positions are told by a bias on attention that grows coarser with distance;
//! products of queries and keys are not scaled. The weights are `stack`'s, the
//! distances `buckets`'.

mod buckets;
mod stack;

use candle_core::{Device, Tensor};

use super::super::attention::{self, Cache, Heads};
use super::super::checkpoint::Checkpoint;
use super::super::generate::{Decoder, Input, Limits, Memory, Prompt, Row, Step};
use super::super::linear::Linear;
use super::super::states::States;
use super::super::stored::Stored;
use super::Language;
use super::config::T5 as Config;
use crate::{Error, Result};
use buckets::{bucket_back, bucket_both};
use stack::Stack;

/// Encoder, decoder and head.
#[derive(Debug)]
pub(super) struct T5 {
    config: Config,
    limits: Limits,
    /// (vocab, dim).
    shared: Stored,
    encoder: Stack,
    decoder: Stack,
    head: Linear,
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
        for half in ["encoder", "decoder"] {
            let name = format!("language_model.{half}.embed_tokens.weight");
            weights.tied(&name, &[vocab, dim], &shared)?;
        }
        let encoder = Stack::load(weights, &config, "encoder", config.num_layers)?;
        let decoder = Stack::load(weights, &config, "decoder", config.decoder_layers())?;
        let head = match weights.contains("language_model.lm_head.weight") {
            true => weights.linear("language_model.lm_head", vocab, dim, false)?,
            false => weights.linear_of(shared.clone(), dim, None)?,
        };
        Ok(T5 { limits: config.limits(), config, shared, encoder, decoder, head })
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
    fn memories(&self, images: usize, inputs: Vec<Input<&[f32]>>) -> Result<Vec<Memory>> {
        if images == 0 || inputs.is_empty() {
            return Ok(Vec::new()); // no image has places to be cut into
        }
        let places = inputs.len() / images;
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

impl Language for T5 {
    /// One token: the encoder reads the rest.
    fn first(&self, _: usize) -> usize {
        1
    }

    fn begin(&self, inputs: Vec<Vec<Input<Vec<f32>>>>, _: &[u32]) -> Result<Vec<Prompt>> {
        let all = inputs.iter().flatten().map(Input::borrow).collect();
        let start = self.config.start();
        let prompt =
            |memory| Prompt { inputs: vec![Input::Token(start)], ids: vec![start], memory };
        Ok(self.memories(inputs.len(), all)?.into_iter().map(prompt).collect())
    }
}

impl Decoder for T5 {
    fn limits(&self) -> &Limits {
        &self.limits
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
