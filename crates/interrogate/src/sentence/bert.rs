//! The transformer: token ids of one length in, means over the tokens out.
//!
//! Owns the names and shapes of the checkpoint and the order of the steps.
//! Knows nothing of texts. candle-transformers has this model too and tests hold
//! ours to it; but its bias, GELU, softmax and norm run on one thread, and took
//! more time than the products.

use candle_core::{Device, Result as Computed, Tensor};
use candle_transformers::models::bert::Config;

use super::attention::Attention;
use super::fused::{BiasGelu, BiasNorm};
use crate::weights::Weights;
use crate::{Error, Result};

/// BERT (Devlin et al., arXiv 1810.04805) without its pooler, in f32 on the CPU.
#[derive(Debug)]
pub(super) struct Bert {
    words: Tensor,
    positions: Tensor,
    /// The first token type's embedding is its bias.
    norm: BiasNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    heads: usize,
    /// Query, key and value side by side: one product for the three.
    qkv: Tensor,
    qkv_bias: Vec<f32>,
    attention_output: Tensor,
    attention_norm: BiasNorm,
    intermediate: Tensor,
    activation: BiasGelu,
    output: Tensor,
    output_norm: BiasNorm,
}

impl Bert {
    /// Takes every weight that `config` asks for, and refuses any other but the
    /// pooler's and the position numbers, which sentence embeddings do not use.
    pub(super) fn new(weights: Weights, config: &Config) -> Result<Self> {
        let dim = config.hidden_size;
        let table = |name: &str, rows: usize| {
            weights.take(&format!("embeddings.{name}_embeddings.weight"), &[rows, dim])
        };
        let words = table("word", config.vocab_size)?;
        let positions = table("position", config.max_position_embeddings)?;
        let types = table("token_type", config.type_vocab_size)?;
        let engine = Error::engine("read the token types");
        let bias = types.get(0).and_then(|row| row.to_vec1()).map_err(engine)?;
        let norm = norm(&weights, "embeddings", bias, config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::new(&weights, &format!("encoder.layer.{layer}"), config))
            .collect::<Result<Vec<_>>>()?;
        weights.finish(|name| name.starts_with("pooler.") || name.ends_with("position_ids"))?;
        Ok(Bert { words, positions, norm, layers })
    }

    /// The means (rows, dim) over the last states of sequences of `length`
    /// tokens each, one behind the other in `ids`.
    ///
    /// # Errors
    /// [`Error::Engine`] for an id or a length beyond the checkpoint's.
    pub(super) fn means(&self, ids: &[u32], length: usize) -> Result<Vec<f32>> {
        let run = || {
            let ids = Tensor::new(ids, &Device::Cpu)?;
            let mut states = self.words.index_select(&ids, 0)?;
            states.inplace_op2(&self.positions.narrow(0, 0, length)?, &self.norm)?;
            for layer in &self.layers {
                states = layer.forward(states, length)?;
            }
            let (tokens, dim) = states.dims2()?;
            states.reshape((tokens / length, length, dim))?.mean(1)?.flatten_all()?.to_vec1()
        };
        run().map_err(Error::engine("encode texts"))
    }
}

impl Layer {
    fn new(weights: &Weights, name: &str, config: &Config) -> Result<Self> {
        let (dim, inner) = (config.hidden_size, config.intermediate_size);
        let qkv = ["query", "key", "value"].map(|part| format!("{name}.attention.self.{part}"));
        let [query, key, value] = qkv.each_ref().map(|part| product(weights, part, dim, dim));
        let qkv_product = Tensor::cat(&[query?, key?, value?], 1);
        let biases = qkv.iter().map(|part| column(weights, &format!("{part}.bias"), dim));
        let attention = format!("{name}.attention.output");
        let intermediate = format!("{name}.intermediate.dense");
        let output = format!("{name}.output");
        let residual = |name: &str| {
            let bias = column(weights, &format!("{name}.dense.bias"), dim)?;
            norm(weights, name, bias, config)
        };
        Ok(Layer {
            heads: config.num_attention_heads,
            qkv: qkv_product.map_err(Error::engine("join the attention's weights"))?,
            qkv_bias: biases.collect::<Result<Vec<_>>>()?.concat(),
            attention_output: product(weights, &format!("{attention}.dense"), dim, dim)?,
            attention_norm: residual(&attention)?,
            intermediate: product(weights, &intermediate, dim, inner)?,
            activation: BiasGelu { bias: column(weights, &format!("{intermediate}.bias"), inner)? },
            output: product(weights, &format!("{output}.dense"), inner, dim)?,
            output_norm: residual(&output)?,
        })
    }

    fn forward(&self, states: Tensor, length: usize) -> Computed<Tensor> {
        let attention = Attention { bias: &self.qkv_bias, heads: self.heads, length };
        let contexts = states.matmul(&self.qkv)?.apply_op1_no_bwd(&attention)?;
        let attended = contexts.matmul(&self.attention_output)?;
        attended.inplace_op2(&states, &self.attention_norm)?;
        let inner = attended.matmul(&self.intermediate)?;
        inner.inplace_op1(&self.activation)?;
        let states = inner.matmul(&self.output)?;
        states.inplace_op2(&attended, &self.output_norm)?;
        Ok(states)
    }
}

/// The weight `name` (out, in) turned to (in, out): a product with it is quicker
/// by a sixth than one with a transposed view.
fn product(weights: &Weights, name: &str, input: usize, output: usize) -> Result<Tensor> {
    let weight = weights.take(&format!("{name}.weight"), &[output, input])?;
    weight.t().and_then(|turned| turned.contiguous()).map_err(Error::engine("turn a weight"))
}

fn column(weights: &Weights, name: &str, length: usize) -> Result<Vec<f32>> {
    weights.take(name, &[length])?.to_vec1().map_err(Error::engine("read a bias"))
}

/// The layer norm `name`.LayerNorm behind a product whose bias is `bias`.
fn norm(weights: &Weights, name: &str, bias: Vec<f32>, config: &Config) -> Result<BiasNorm> {
    Ok(BiasNorm {
        bias,
        scale: column(weights, &format!("{name}.LayerNorm.weight"), config.hidden_size)?,
        shift: column(weights, &format!("{name}.LayerNorm.bias"), config.hidden_size)?,
        epsilon: config.layer_norm_eps as f32,
    })
}
