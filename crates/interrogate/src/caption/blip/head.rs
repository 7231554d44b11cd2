//! The head of BLIP's decoder: a transformation, and a product that is tied to the embeddings.

use super::super::bert;
use super::super::post_norm_decoder::{Head, PostNormDecoder, Transform};
use super::config::TextConfig;
use crate::Result;
use crate::nn::{Backend, Loader};

const PREFIX: &str = "text_decoder.cls.predictions";

/// Loads the decoder under `text_decoder`, for image states of this width.
///
/// # Errors
/// Those of [`Weights`](crate::weights::Weights).
pub(super) fn load<B: Backend>(
    loader: &Loader<'_, B>,
    config: &TextConfig,
    image_width: usize,
) -> Result<PostNormDecoder<B>> {
    let sizes = config.sizes(image_width);
    let (width, vocabulary) = (sizes.width, [config.vocab_size, sizes.width]);
    bert::load(loader, "text_decoder.bert", &sizes, config.limits(), |words| {
        let at = |name: &str| format!("{PREFIX}.{name}");
        let bias = loader.values(&at("bias"), &[config.vocab_size])?;
        loader.weights.check_tied(&at("decoder.weight"), &vocabulary, words)?;
        let transform = Transform {
            dense: loader.linear(&at("transform.dense"), [width, width])?,
            activation: sizes.activation,
            norm: loader.layer_norm(&at("transform.LayerNorm"), width, sizes.eps)?,
        };
        let output = loader.backend.linear(words, vocabulary, Some(bias))?;
        Ok(Head { transform: Some(transform), output })
    })
}
