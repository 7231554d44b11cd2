//! The Q-Former on a device.

use candle_core::{Result, Tensor};

use super::super::config::QFormer as Config;
use super::Weights;
use crate::nn::Activation;
use crate::nn::attention::Heads;
use crate::nn::engine::{Dense, Norm, groups};
use crate::{Error, Result as Checked};

/// The Q-Former and its queries.
#[derive(Debug)]
pub(super) struct QFormer {
    config: Config,
    /// The queries behind their first norm, (queries, dim).
    queries: Tensor,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention: Attention,
    crossattention: Option<Attention>,
    intermediate: Dense,
    output: Dense,
    norm: Norm,
}

#[derive(Debug)]
struct Attention {
    query: Dense,
    key: Dense,
    value: Dense,
    dense: Dense,
    norm: Norm,
}

impl QFormer {
    /// Takes `query_tokens` and the weights under `qformer`, for image states of
    /// `image_dim`.
    pub(super) fn load(
        weights: &Weights<'_>,
        config: Config,
        queries: usize,
        image_dim: usize,
    ) -> Checked<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let tokens = weights.tensor("query_tokens", &[1, queries, dim], &[queries, dim])?;
        let queries = weights.norm("qformer.layernorm", dim, eps)?.forward(&tokens);
        let layers = (0..config.num_hidden_layers).map(|number| {
            let at = |name: &str| format!("qformer.encoder.layer.{number}.{name}");
            let attention = |name: &str, seen: usize| -> Checked<Attention> {
                let at = |part: &str| at(&format!("{name}.{part}"));
                Ok(Attention {
                    query: weights.dense(&at("attention.query"), dim, dim, true)?,
                    key: weights.dense(&at("attention.key"), dim, seen, true)?,
                    value: weights.dense(&at("attention.value"), dim, seen, true)?,
                    dense: weights.dense(&at("output.dense"), dim, dim, true)?,
                    norm: weights.norm(&at("output.LayerNorm"), dim, eps)?,
                })
            };
            let (crosses, wide) =
                (number % config.cross_attention_frequency == 0, config.intermediate_size);
            let crossattention = crosses.then(|| attention("crossattention", image_dim));
            Ok(Layer {
                attention: attention("attention", dim)?,
                crossattention: crossattention.transpose()?,
                intermediate: weights.dense(&at("intermediate_query.dense"), wide, dim, true)?,
                output: weights.dense(&at("output_query.dense"), dim, wide, true)?,
                norm: weights.norm(&at("output_query.LayerNorm"), dim, eps)?,
            })
        });
        let layers = layers.collect::<Checked<_>>()?;
        let queries = queries.map_err(Error::engine("make the Q-Former's queries"))?;
        Ok(QFormer { config, queries, layers })
    }

    /// What the queries become over each image: (images * queries, dim) of image
    /// states (images * places, image_dim).
    pub(super) fn forward(&self, images: usize, seen: &Tensor) -> Result<Tensor> {
        let (count, dim) = self.queries.dims2()?;
        let heads = Heads::scaled(self.config.num_attention_heads, dim);
        let states = self.queries.broadcast_as((images, count, dim))?.contiguous()?;
        let mut states = states.reshape((images * count, dim))?;
        for layer in &self.layers {
            states = layer.attention.forward(images, heads, &states, &states)?;
            if let Some(crossattention) = &layer.crossattention {
                states = crossattention.forward(images, heads, &states, seen)?;
            }
            let wide = layer.intermediate.forward_with(&states, self.config.hidden_act, None)?;
            let out = layer.output.forward_with(&wide, Activation::None, Some(&states))?;
            states = layer.norm.forward(&out)?;
        }
        Ok(states)
    }
}

impl Attention {
    fn forward(
        &self,
        images: usize,
        heads: Heads,
        states: &Tensor,
        seen: &Tensor,
    ) -> Result<Tensor> {
        let query = self.query.forward(states)?;
        let (key, value) = (self.key.forward(seen)?, self.value.forward(seen)?);
        let context = groups(heads, images, [&query, &key, &value], None)?;
        let out = self.dense.forward_with(&context, Activation::None, Some(states))?;
        self.norm.forward(&out)
    }
}
