//! The head of BLIP's decoder: a transformation, and a product that is tied to the embeddings.

use super::super::bert::{BertDecoder, BertHead, Transform};
use super::config::TextConfig;
use crate::Result;
use crate::nn::{Backend, Loader};

const HEAD: &str = "text_decoder.cls.predictions";

/// Loads the decoder under `text_decoder`, for images of this number of states and width.
///
/// # Errors
/// Those of [`Weights`](crate::weights::Weights).
pub(super) fn load<B: Backend>(
    loader: &Loader<'_, B>,
    config: &TextConfig,
    image: [usize; 2],
) -> Result<BertDecoder<B>> {
    let sizes = config.sizes(image);
    let (width, vocabulary) = (sizes.width, [config.vocab_size, sizes.width]);
    BertDecoder::load(loader, "text_decoder.bert", &sizes, config.limits(), |words| {
        let at = |name: &str| format!("{HEAD}.{name}");
        let bias = loader.values(&at("bias"), &[config.vocab_size])?;
        loader.weights.check_tied(&at("decoder.weight"), &vocabulary, words)?;
        let transform = Transform {
            dense: loader.linear(&at("transform.dense"), [width, width])?,
            activation: sizes.activation,
            norm: loader.layer_norm(&at("transform.LayerNorm"), width, sizes.eps)?,
        };
        let output = loader.backend.linear(words, vocabulary, Some(bias))?;
        Ok(BertHead { transform: Some(transform), output })
    })
}
