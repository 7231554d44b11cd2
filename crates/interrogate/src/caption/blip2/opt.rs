//! OPT, the language model of blip2-opt-2.7b and -6.7b.
//!
//! `modeling_opt.py` of transformers 5.23 in the layout with norms before each
//! part (Zhang et al., arXiv 2205.01068).

use super::super::attention::Heads;
use super::super::checkpoint::Checkpoint;
use super::super::generate::{Decoder, Input, Limits, Memory, Prompt, Row, Step};
use super::super::linear::Linear;
use super::super::norm::LayerNorm;
use super::super::states::States;
use super::super::stored::Stored;
use super::Language;
use super::config::Opt as Config;
use crate::Result;

/// Rows that OPT's table of positions has before that of position 0.
const OFFSET: usize = 2;
/// The norms' epsilon, torch's default: OPT's configuration has no word on it.
pub(super) const EPS: f64 = 1e-5;
pub(super) const PREFIX: &str = "language_model.model.decoder";

/// The decoder and its head, which is tied to the embedding.
#[derive(Debug)]
pub(super) struct Opt {
    config: Config,
    limits: Limits,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
}

#[derive(Debug)]
struct Layer {
    self_attn_layer_norm: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    final_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Opt {
    /// Takes the weights under `language_model`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(weights: &Checkpoint, config: Config) -> Result<Self> {
        let dim = config.hidden_size;
        let at = |name: &str| format!("{PREFIX}.{name}");
        let embeddings = Embeddings::load(weights, &config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|number| {
                let at = |name: &str| format!("{PREFIX}.layers.{number}.{name}");
                let bias = config.enable_bias;
                let square = |name: &str| weights.linear(&at(name), dim, dim, bias);
                Ok(Layer {
                    self_attn_layer_norm: weights.layer_norm(
                        &at("self_attn_layer_norm"),
                        dim,
                        EPS,
                    )?,
                    q_proj: square("self_attn.q_proj")?,
                    k_proj: square("self_attn.k_proj")?,
                    v_proj: square("self_attn.v_proj")?,
                    out_proj: square("self_attn.out_proj")?,
                    final_layer_norm: weights.layer_norm(&at("final_layer_norm"), dim, EPS)?,
                    fc1: weights.linear(&at("fc1"), config.ffn_dim, dim, bias)?,
                    fc2: weights.linear(&at("fc2"), dim, config.ffn_dim, bias)?,
                })
            })
            .collect::<Result<_>>()?;
        let norm = weights.layer_norm(&at("final_layer_norm"), dim, EPS)?;
        let table = embeddings.tokens();
        weights.tied("language_model.lm_head.weight", &[config.vocab_size, dim], table)?;
        let head = weights.linear_of(table.clone(), dim, None)?;
        Ok(Opt { limits: config.limits(), config, embeddings, layers, norm, head })
    }
}

impl Language for Opt {
    fn first(&self, read: usize) -> usize {
        read
    }

    fn begin(&self, inputs: Vec<Vec<Input<Vec<f32>>>>, ids: &[u32]) -> Result<Vec<Prompt>> {
        Ok(Prompt::whole(inputs, ids, || Memory::new(self.layers.len(), Vec::new())))
    }
}

/// The tables of tokens and positions, where the file has them.
#[derive(Debug)]
pub(super) struct Embeddings {
    dim: usize,
    /// (vocab, dim).
    tokens: Stored,
    /// (positions + OFFSET, dim).
    positions: Stored,
}

impl Embeddings {
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(weights: &Checkpoint, config: &Config) -> Result<Self> {
        let dim = config.hidden_size;
        let at = |name: &str| format!("{PREFIX}.{name}.weight");
        let tokens = weights.stored(&at("embed_tokens"), &[config.vocab_size, dim])?;
        let places = config.max_position_embeddings + OFFSET;
        let positions = weights.stored(&at("embed_positions"), &[places, dim])?;
        Ok(Embeddings { dim, tokens, positions })
    }

    pub(super) fn tokens(&self) -> &Stored {
        &self.tokens
    }

    /// The rows' inputs with their positions, (rows, dim).
    pub(super) fn of(&self, rows: &[Row<'_>]) -> States {
        let dim = self.dim;
        let mut states = States::zeros(rows.len(), dim);
        let mut place = vec![0.0; dim];
        for (row, out) in rows.iter().zip(states.values_mut().chunks_exact_mut(dim)) {
            match row.input {
                Input::Token(token) => self.tokens.widen(token as usize * dim, out),
                Input::Embedding(values) => out.copy_from_slice(values),
            }
            self.positions.widen((row.position() + OFFSET) * dim, &mut place);
            out.iter_mut().zip(&place).for_each(|(o, p)| *o += p);
        }
        states
    }
}

impl Decoder for Opt {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn hidden(&self, memories: &mut [Memory], rows: &[Row<'_>]) -> Result<States> {
        let heads = Heads::scaled(self.config.num_attention_heads, self.config.hidden_size);
        let step = Step::new(memories, rows);
        let mut states = self.embeddings.of(rows);
        for (number, layer) in self.layers.iter().enumerate() {
            let normed = layer.self_attn_layer_norm.forward(&states);
            let query = layer.q_proj.forward(&normed)?;
            let (key, value) = (layer.k_proj.forward(&normed)?, layer.v_proj.forward(&normed)?);
            step.remember(memories, number, key.rows(), value.rows());
            let seen = step.attend(memories, number, heads, &query, |_, _, _| 0.0);
            states.add(&layer.out_proj.forward(&seen)?);
            let normed = layer.final_layer_norm.forward(&states);
            let wide = layer.fc1.forward_with(&normed, self.config.activation_function)?;
            states.add(&layer.fc2.forward(&wide)?);
        }
        Ok(self.norm.forward(&states))
    }

    fn logits(&self, hidden: &States) -> Result<States> {
        self.head.forward(hidden)
    }
}
