//! The Q-Former: a few learned queries that look at an image's states and
//! become what the language model reads of it.
//!
//! A BERT whose every `cross_attention_frequency`-th layer attends to the
//! image: `modeling_blip_2.py` of transformers 5.23, `Blip2QFormerModel`, the
//! part that has queries and no text.

use super::super::attention::{self, Heads};
use super::super::checkpoint::Checkpoint;
use super::super::linear::Linear;
use super::super::norm::LayerNorm;
use super::super::states::States;
use super::config::QFormer as Config;
use crate::Result;

/// The Q-Former and its queries.
#[derive(Debug)]
pub(super) struct QFormer {
    config: Config,
    /// The queries behind their first norm, (queries, dim).
    queries: States,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention: Attention,
    crossattention: Option<Attention>,
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

impl QFormer {
    /// Takes `query_tokens` and the weights under `qformer`, for image states of
    /// `image_dim`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(
        weights: &Checkpoint,
        config: Config,
        queries: usize,
        image_dim: usize,
    ) -> Result<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let tokens = States::new(dim, weights.values("query_tokens", &[1, queries, dim])?);
        let queries = weights.layer_norm("qformer.layernorm", dim, eps)?.forward(&tokens);
        let layers = (0..config.num_hidden_layers)
            .map(|number| {
                let at = |name: &str| format!("qformer.encoder.layer.{number}.{name}");
                let attention = |name: &str, seen: usize| -> Result<Attention> {
                    let at = |part: &str| at(&format!("{name}.{part}"));
                    Ok(Attention {
                        query: weights.linear(&at("attention.query"), dim, dim, true)?,
                        key: weights.linear(&at("attention.key"), dim, seen, true)?,
                        value: weights.linear(&at("attention.value"), dim, seen, true)?,
                        dense: weights.linear(&at("output.dense"), dim, dim, true)?,
                        norm: weights.layer_norm(&at("output.LayerNorm"), dim, eps)?,
                    })
                };
                let crosses = number % config.cross_attention_frequency == 0;
                let wide = config.intermediate_size;
                Ok(Layer {
                    attention: attention("attention", dim)?,
                    crossattention: match crosses {
                        true => Some(attention("crossattention", image_dim)?),
                        false => None,
                    },
                    intermediate: weights.linear(
                        &at("intermediate_query.dense"),
                        wide,
                        dim,
                        true,
                    )?,
                    output: weights.linear(&at("output_query.dense"), dim, wide, true)?,
                    norm: weights.layer_norm(&at("output_query.LayerNorm"), dim, eps)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(QFormer { config, queries, layers })
    }

    /// What the queries become over each image: (images * queries, dim) of image
    /// states (images * places, image_dim).
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    pub(super) fn forward(&self, images: usize, seen: &States) -> Result<States> {
        let dim = self.config.hidden_size;
        let heads = Heads::scaled(self.config.num_attention_heads, dim);
        let mut states = States::new(dim, self.queries.values().repeat(images));
        for layer in &self.layers {
            states = layer.attention.forward(images, heads, &states, &states)?;
            if let Some(crossattention) = &layer.crossattention {
                states = crossattention.forward(images, heads, &states, seen)?;
            }
            let wide = layer.intermediate.forward_with(&states, self.config.hidden_act)?;
            let mut out = layer.output.forward(&wide)?;
            out.add(&states);
            states = layer.norm.forward(&out);
        }
        Ok(states)
    }
}

impl Attention {
    fn forward(
        &self,
        images: usize,
        heads: Heads,
        states: &States,
        seen: &States,
    ) -> Result<States> {
        let query = self.query.forward(states)?;
        let (key, value) = (self.key.forward(seen)?, self.value.forward(seen)?);
        let context = attention::whole(images, heads, [&query, &key, &value], None)?;
        let mut out = self.dense.forward(&context)?;
        out.add(states);
        Ok(self.norm.forward(&out))
    }
}
