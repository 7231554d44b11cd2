//! BERT as a causal language model, by its names: the decoder of BLIP, whose layers have
//! cross-attention to an image, and of GIT, which reads the image as the first positions.
//!
//! `modeling_blip_text.py` of transformers 5.23, `BlipTextLMHeadModel`, and `modeling_git.py` of
//! transformers 5.24, `GitForCausalLM`.

use super::generate::Limits;
use super::post_norm_decoder::{Head, PostNormDecoder};
use crate::Result;
use crate::nn::{Activation, Backend, Loader, PostNormLayer};
use crate::weights::Values;

/// The sizes of a decoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct BertSizes {
    pub(super) width: usize,
    pub(super) inner: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) positions: usize,
    pub(super) activation: Activation,
    pub(super) eps: f64,
    /// The width of the image states that each layer has cross-attention to, if it has any.
    pub(super) cross_width: Option<usize>,
    /// Rows per image that precede the text in the KV cache.
    pub(super) image_rows: usize,
}

/// Loads the weights under `prefix`. `head` loads the head, which may be tied to the word
/// embeddings that it is called with.
///
/// # Errors
/// Those of [`Weights`](crate::weights::Weights).
pub(super) fn load<B: Backend>(
    loader: &Loader<'_, B>,
    prefix: &str,
    sizes: &BertSizes,
    limits: Limits,
    head: impl FnOnce(&Values) -> Result<Head<B>>,
) -> Result<PostNormDecoder<B>> {
    let &BertSizes { width, inner, heads, eps, .. } = sizes;
    let at = |name: &str| format!("{prefix}.embeddings.{name}");
    let words = loader.weights.load(&at("word_embeddings.weight"), &[limits.vocab, width])?;
    let layer = |number: usize| {
        let at = |name: &str| format!("{prefix}.encoder.layer.{number}.{name}");
        let attention = |name: &str, kv_width: usize| {
            loader.attention(&at(name), "self", [heads, width, kv_width], eps)
        };
        let cross = sizes.cross_width.map(|width| attention("crossattention", width));
        Ok(PostNormLayer {
            attention: attention("attention", width)?,
            crossattention: cross.transpose()?,
            activation: sizes.activation,
            intermediate: loader.linear(&at("intermediate.dense"), [inner, width])?,
            output: loader.linear(&at("output.dense"), [width, inner])?,
            norm: loader.layer_norm(&at("output.LayerNorm"), width, eps)?,
        })
    };
    Ok(PostNormDecoder {
        backend: loader.backend.clone(),
        limits,
        // The rows of an image have no position.
        position_offset: -(sizes.image_rows as isize),
        position_embeddings: loader
            .table(&at("position_embeddings.weight"), [sizes.positions, width])?,
        norm: loader.layer_norm(&at("LayerNorm"), width, eps)?,
        layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
        head: head(&words)?,
        word_embeddings: loader.backend.table(words, width)?,
    })
}
