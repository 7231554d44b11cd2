//! The Q-Former: a few learned queries that look at an image's states and
//! become what the language model reads of it.
//!
//! A BERT whose every `cross_attention_frequency`-th layer attends to the
//! image: `modeling_blip_2.py` of transformers 5.23, `Blip2QFormerModel`, the
//! part that has queries and no text.

use super::config::QFormer as Config;
use crate::Result;
use crate::nn::{Backend, Kv, Loader, PostNormLayer, Scope, Workspace};

/// The Q-Former and its queries.
#[derive(Debug)]
pub(in crate::caption) struct QFormer<B: Backend> {
    /// The queries behind their first norm, (queries, width).
    queries: B::Rows,
    layers: Vec<PostNormLayer<B>>,
}

impl<B: Backend> QFormer<B> {
    /// Takes `query_tokens` and the weights under `qformer`, for so many queries and image
    /// states of `image_width`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(
        loader: &Loader<'_, B>,
        config: &Config,
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
            let attention = |name: &str, seen: usize| {
                loader.attention(&at(name), "attention", [heads, width, seen], eps)
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

    /// What the queries become over each image: (images * queries, width) of image states
    /// (images * states, image width), as the rows of `work`.
    ///
    /// # Errors
    /// [`Error::Engine`](crate::Error::Engine).
    pub(in crate::caption) fn forward(
        &self,
        backend: &B,
        work: &mut Workspace<B>,
        images: usize,
        seen: &B::Rows,
    ) -> Result<()> {
        backend.repeat(&self.queries, images, &mut work.rows)?;
        let scope = backend.scope(Scope::Groups(images))?;
        for (number, layer) in self.layers.iter().enumerate() {
            let across = layer.crossattention.as_ref();
            let across = across.map(|attention| attention.keys_and_values(backend, seen));
            let across = across.transpose()?;
            let across = across.as_ref().map(|across| (across, &scope));
            layer.forward(backend, number, work, (&scope, &mut Kv::None), across)?;
        }
        Ok(())
    }
}
