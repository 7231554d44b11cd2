//! OPT on a device.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Result, Tensor};

use super::super::super::generate::{Decoder, Input, Limits, Memory, Prompt, Row, Step};
use super::super::super::states::States;
use super::super::Language;
use super::super::config::Opt as Config;
use super::super::opt::{EPS, Embeddings, PREFIX};
use super::{Pool, Weights};
use crate::nn::Activation;
use crate::nn::attention::Heads;
use crate::nn::engine::{Chains, Dense, Norm};
use crate::{Error, Result as Checked};

/// The decoder and its head. Tokens and positions are looked up on the host: a row is
/// a few kilobytes, and the queries' rows come from there as well.
#[derive(Debug)]
pub(super) struct Opt {
    config: Config,
    limits: Limits,
    embeddings: Embeddings,
    device: Device,
    layers: Vec<Layer>,
    norm: Norm,
    head: Dense,
}

#[derive(Debug)]
struct Layer {
    self_attn_layer_norm: Norm,
    q_proj: Dense,
    k_proj: Dense,
    v_proj: Dense,
    out_proj: Dense,
    final_layer_norm: Norm,
    fc1: Dense,
    fc2: Dense,
}

impl Opt {
    /// Takes the weights under `language_model`.
    pub(super) fn load(weights: &Weights<'_>, config: Config) -> Checked<Self> {
        let dim = config.hidden_size;
        let embeddings = Embeddings::load(weights.checkpoint, &config)?;
        let layers = (0..config.num_hidden_layers).map(|number| {
            let at = |name: &str| format!("{PREFIX}.layers.{number}.{name}");
            let (bias, wide) = (config.enable_bias, config.ffn_dim);
            let square = |name: &str| weights.dense(&at(name), dim, dim, bias);
            Ok(Layer {
                self_attn_layer_norm: weights.norm(&at("self_attn_layer_norm"), dim, EPS)?,
                q_proj: square("self_attn.q_proj")?,
                k_proj: square("self_attn.k_proj")?,
                v_proj: square("self_attn.v_proj")?,
                out_proj: square("self_attn.out_proj")?,
                final_layer_norm: weights.norm(&at("final_layer_norm"), dim, EPS)?,
                fc1: weights.dense(&at("fc1"), wide, dim, bias)?,
                fc2: weights.dense(&at("fc2"), dim, wide, bias)?,
            })
        });
        let layers = layers.collect::<Checked<_>>()?;
        let norm = weights.norm(&format!("{PREFIX}.final_layer_norm"), dim, EPS)?;
        let head = embeddings.tokens().to_f32();
        let head = weights.dense_of(head, [config.vocab_size, dim], None)?;
        let (limits, device) = (config.limits(), weights.device.clone());
        Ok(Opt { config, limits, embeddings, device, layers, norm, head })
    }

    fn forward(
        &self,
        pool: &mut Pool,
        first: usize,
        states: States,
        chains: &Chains,
    ) -> Result<Vec<f32>> {
        let shape = (states.len(), states.dim());
        let heads = Heads::scaled(self.config.num_attention_heads, self.config.hidden_size);
        let mut states = Tensor::from_vec(states.into_values(), shape, &self.device)?;
        for (number, layer) in self.layers.iter().enumerate() {
            let normed = layer.self_attn_layer_norm.forward(&states)?;
            let query = layer.q_proj.forward(&normed)?;
            let (key, value) = (layer.k_proj.forward(&normed)?, layer.v_proj.forward(&normed)?);
            let [keys, values] = pool.write(number, first, [&key, &value])?;
            let seen = chains.attend(heads, &query, keys, values)?;
            states = layer.out_proj.forward_with(&seen, Activation::None, Some(&states))?;
            let normed = layer.final_layer_norm.forward(&states)?;
            let wide = layer.fc1.forward_with(&normed, self.config.activation_function, None)?;
            states = layer.fc2.forward_with(&wide, Activation::None, Some(&states))?;
        }
        self.norm.forward(&states)?.flatten_all()?.to_vec1()
    }
}

impl Language for Opt {
    fn first(&self, read: usize) -> usize {
        read
    }

    fn begin(&self, inputs: Vec<Vec<Input<Vec<f32>>>>, ids: &[u32]) -> Checked<Vec<Prompt>> {
        // Clones of a memory share its pool.
        let memory = Memory::on_device(Arc::new(Mutex::new(Pool::default())));
        Ok(Prompt::whole(inputs, ids, || memory.clone()))
    }
}

impl Decoder for Opt {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn hidden(&self, memories: &mut [Memory], rows: &[Row<'_>]) -> Checked<States> {
        let dim = self.config.hidden_size;
        let Some(pool) = rows.first().and_then(|row| memories[row.memory].pool()) else {
            return Ok(States::zeros(0, dim));
        };
        // A pool whose user panicked has rows that no memory numbers, and no others.
        let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
        let step = Step::new(memories, rows);
        let first = pool.grow(rows.len());
        for (number, row) in rows.iter().enumerate() {
            memories[row.memory].place((first + number) as u32);
        }
        let engine = || Error::engine("read a position on the device");
        let chain = |row: usize, all: &mut Vec<u32>| step.places(memories, row, all);
        let chains = Chains::new(rows.len(), chain, &self.device).map_err(engine())?;
        let states = self.embeddings.of(rows);
        let hidden = self.forward(&mut pool, first, states, &chains).map_err(engine())?;
        Ok(States::new(dim, hidden))
    }

    fn logits(&self, hidden: &States) -> Checked<States> {
        let scores = || -> Result<Vec<f32>> {
            let shape = (hidden.len(), hidden.dim());
            let hidden = Tensor::from_slice(hidden.values(), shape, &self.device)?;
            self.head.forward(&hidden)?.flatten_all()?.to_vec1()
        };
        let scores = scores().map_err(Error::engine("score tokens on the device"))?;
        Ok(States::new(self.config.vocab_size, scores))
    }
}
