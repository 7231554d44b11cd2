//! The Q-Former: learned queries that attend to an image's states and become the language
//! model's image embeddings.
//!
//! A BERT with cross-attention to the image in every `cross_attention_frequency`-th layer:
//! `modeling_blip_2.py` of transformers 5.23, `Blip2QFormerModel`, without text input.

use super::config::QFormerConfig;
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{Backend, Kv, Loader, PostNormLayer, Scope, Workspace};

/// The Q-Former and its queries.
#[derive(Debug)]
pub(in crate::caption) struct QFormer<B: Backend> {
    /// The normalized queries, (queries, width).
    queries: B::Rows,
    layers: Vec<PostNormLayer<B>>,
}

impl<B: Backend> QFormer<B> {
    /// Loads `query_tokens` and the weights under `qformer`, for `queries` queries and image
    /// states of `image_width`.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &QFormerConfig,
        queries: usize,
        image_width: usize,
    ) -> Result<Self> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let (inner, heads) = (config.intermediate_size, config.num_attention_heads);
        let tokens = loader.rows("query_tokens", &[1, queries, width])?;
        let norm = loader.layer_norm("qformer.layernorm", width, eps)?;
        let mut queries = B::Rows::default();
        loader.backend.normalize(&norm, &tokens, &mut queries)?;
        let layer = |number: usize| {
            let at = |name: &str| format!("qformer.encoder.layer.{number}.{name}");
            let attention = |name: &str, kv_width: usize| {
                loader.attention(&at(name), "attention", [heads, width, kv_width], eps)
            };
            let crosses = number.is_multiple_of(config.cross_attention_frequency);
            let crossattention = crosses.then(|| attention("crossattention", image_width));
            Ok(PostNormLayer {
                attention: attention("attention", width)?,
                crossattention: crossattention.transpose()?,
                activation: config.hidden_act,
                intermediate: loader.linear(&at("intermediate_query.dense"), [inner, width])?,
                output: loader.linear(&at("output_query.dense"), [width, inner])?,
                norm: loader.layer_norm(&at("output_query.LayerNorm"), width, eps)?,
            })
        };
        let layers = (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?;
        Ok(QFormer { queries, layers })
    }

    /// Computes the query embeddings of each image, (images * queries, width), from the image
    /// states (images * states, image width). The result is in the rows of `work`.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(in crate::caption) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        images: usize,
        image_states: &B::Rows,
    ) -> Result<()> {
        backend.repeat(&self.queries, images, &mut work.rows)?;
        let scope = backend.scope(Scope::Groups(images))?;
        for (number, layer) in self.layers.iter().enumerate() {
            let cross = layer.crossattention.as_ref();
            let cross = cross.map(|attention| attention.keys_and_values(backend, image_states));
            let cross = cross.transpose()?;
            let cross = cross.as_ref().map(|cross| (cross, &scope));
            layer.forward(backend, number, work, (&scope, &mut Kv::None), cross)?;
        }
        Ok(())
    }
}
