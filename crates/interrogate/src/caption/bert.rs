//! BERT as a causal language model: the decoder of BLIP, whose layers have cross-attention to an
//! image, and of GIT, which reads the image as the first positions.
//!
//! `modeling_blip_text.py` of transformers 5.23, `BlipTextLMHeadModel`, and `modeling_git.py` of
//! transformers 5.24, `GitForCausalLM`.

use super::decoder_state::DecoderState;
use super::generate::{Decoder, Limits, Step};
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Activation, Backend, Epilogue, Kv, Loader, LogitsRequest, PostNormLayer, ReducedLogits, Scope,
    Workspace,
};
use crate::weights::Values;

/// Maximum number of images whose rows are read at a time before a caption starts.
const IMAGES: usize = 16;

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
    /// States per image that each layer has cross-attention to, and their width.
    pub(super) cross: Option<[usize; 2]>,
    /// Rows per image that precede the text in the KV cache.
    pub(super) image_rows: usize,
}

/// Embeddings, layers and head.
#[derive(Debug)]
pub(super) struct BertDecoder<B: Backend> {
    backend: B,
    limits: Limits,
    /// States per image for cross-attention.
    states: usize,
    /// Rows per image that precede the text in the KV cache.
    image_rows: usize,
    word_embeddings: B::Table,
    position_embeddings: B::Table,
    norm: B::Norm,
    layers: Vec<PostNormLayer<B>>,
    head: BertHead<B>,
}

/// The product with the vocabulary, and what precedes it.
#[derive(Debug)]
pub(super) struct BertHead<B: Backend> {
    pub(super) transform: Option<Transform<B>>,
    pub(super) output: B::Linear,
}

/// `norm(activation(dense(x)))`.
#[derive(Debug)]
pub(super) struct Transform<B: Backend> {
    pub(super) dense: B::Linear,
    pub(super) activation: Activation,
    pub(super) norm: B::Norm,
}

impl<B: Backend> BertDecoder<B> {
    /// Loads the weights under `prefix`. `head` loads the head, which may be tied to the word
    /// embeddings that it is called with.
    ///
    /// # Errors
    /// Those of [`Weights`](crate::weights::Weights).
    pub(super) fn load(
        loader: &Loader<'_, B>,
        prefix: &str,
        sizes: &BertSizes,
        limits: Limits,
        head: impl FnOnce(&Values) -> Result<BertHead<B>>,
    ) -> Result<Self> {
        let &BertSizes { width, inner, heads, eps, .. } = sizes;
        let at = |name: &str| format!("{prefix}.embeddings.{name}");
        let words = loader.weights.load(&at("word_embeddings.weight"), &[limits.vocab, width])?;
        let layer = |number: usize| {
            let at = |name: &str| format!("{prefix}.encoder.layer.{number}.{name}");
            let attention = |name: &str, kv_width: usize| {
                loader.attention(&at(name), "self", [heads, width, kv_width], eps)
            };
            let cross = sizes.cross.map(|[_, width]| attention("crossattention", width));
            Ok(PostNormLayer {
                attention: attention("attention", width)?,
                crossattention: cross.transpose()?,
                activation: sizes.activation,
                intermediate: loader.linear(&at("intermediate.dense"), [inner, width])?,
                output: loader.linear(&at("output.dense"), [width, inner])?,
                norm: loader.layer_norm(&at("output.LayerNorm"), width, eps)?,
            })
        };
        Ok(BertDecoder {
            backend: loader.backend.clone(),
            limits,
            states: sizes.cross.map_or(0, |[states, _]| states),
            image_rows: sizes.image_rows,
            position_embeddings: loader
                .table(&at("position_embeddings.weight"), [sizes.positions, width])?,
            norm: loader.layer_norm(&at("LayerNorm"), width, eps)?,
            layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
            head: head(&words)?,
            word_embeddings: loader.backend.table(words, width)?,
        })
    }

    /// Starts a batch of images with these states (images * states, cross width): computes
    /// each layer's cross-attention keys and values, once for all steps.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(&self, image_states: &B::Rows) -> Result<DecoderState<B>> {
        let attentions = self.layers.iter().filter_map(|layer| layer.crossattention.as_ref());
        let cross =
            attentions.map(|attention| attention.keys_and_values(&self.backend, image_states));
        Ok(DecoderState::of_keys(cross.collect::<Result<_>>()?, self.states))
    }

    /// Starts a batch of `images` images with these rows (images * image rows, width) as the
    /// first rows of its KV cache. The rows of an image attend to each other and to no text.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin_with_rows(
        &self,
        images: usize,
        image_rows: &B::Rows,
    ) -> Result<DecoderState<B>> {
        let (backend, rows) = (&self.backend, self.image_rows);
        let mut state = DecoderState::of_keys(Vec::new(), 0);
        let DecoderState { cache, work, .. } = &mut state;
        let Some((last, before)) = self.layers.split_last() else { return Ok(state) };
        for first in (0..images).step_by(IMAGES) {
            let count = IMAGES.min(images - first);
            let ids: Vec<u32> =
                (0..(count * rows) as u32).map(|row| row + (first * rows) as u32).collect();
            backend.select(image_rows, &backend.ids(&ids)?, &mut work.rows)?;
            let scope = backend.scope(Scope::Groups(count))?;
            for (number, layer) in before.iter().enumerate() {
                let kv = &mut Kv::Record(cache);
                layer.forward(backend, number, work, (&scope, kv), None)?;
            }
            last.extend(backend, before.len(), work, cache)?;
        }
        Ok(state)
    }
}

impl<B: Backend> Decoder for BertDecoder<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        let backend = &self.backend;
        state.embed(backend, &self.word_embeddings, step.inputs())?;
        if self.states > 0 {
            state.prepare_images(backend, step)?;
        }
        let DecoderState { cache, work, cross, logits, images, .. } = state;
        let images = images.as_ref().map(|(_, scope)| scope);
        let Workspace { rows, next, .. } = &mut *work;
        // The rows of an image have no position.
        let positions = step.positions(-(self.image_rows as isize));
        backend.add_lookup(&self.position_embeddings, &positions, rows)?;
        backend.normalize(&self.norm, rows, next)?;
        std::mem::swap(rows, next);
        let scope = backend.scope(Scope::Lists(step.lists()))?;
        let mut kv = Kv::Append(cache);
        for (number, layer) in self.layers.iter().enumerate() {
            let across = cross.get(number).zip(images);
            layer.forward(backend, number, work, (&scope, &mut kv), across)?;
        }
        let Workspace { rows, normed, next, inner, .. } = work;
        if !step.scores_all() {
            backend.select(rows, &backend.ids(&step.scored)?, next)?;
            std::mem::swap(rows, next);
        }
        let BertHead { transform, output } = &self.head;
        if let Some(Transform { dense, activation, norm }) = transform {
            backend.apply(dense, rows, Epilogue::activation(*activation), inner)?;
            backend.normalize(norm, inner, normed)?;
            std::mem::swap(rows, normed);
        }
        backend.apply(output, rows, Epilogue::none(), logits)
    }

    fn reduce_logits(
        &self,
        state: &DecoderState<B>,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        state.reduce_logits(&self.backend, request)
    }

    fn logits(&self, state: &mut DecoderState<B>) -> Result<Vec<f32>> {
        state.take_logits(&self.backend)
    }
}
