//! A decoder of post-norm layers, on which the text models of BLIP, GIT and Florence-2 are built.
//!
//! Its layers may have cross-attention to an image, or an image's rows may precede the text in
//! the KV cache. `bert` and `florence2` load it by the names of their checkpoints.

use super::decoder_state::DecoderState;
use super::generate::{Decoder, Limits, Step};
use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::nn::{
    Activation, Backend, Epilogue, Kv, LogitsRequest, PostNormLayer, ReducedLogits, Scope,
    Workspace,
};

/// Maximum number of images whose rows are read at a time before a caption starts.
const IMAGES: usize = 16;

/// Embeddings, layers and head.
#[derive(Debug)]
pub(super) struct PostNormDecoder<B: Backend> {
    pub(super) backend: B,
    pub(super) limits: Limits,
    /// Added to the number of rows before a token to get the row of its position embedding.
    pub(super) position_offset: isize,
    pub(super) word_embeddings: B::Table,
    pub(super) position_embeddings: B::Table,
    pub(super) norm: B::Norm,
    pub(super) layers: Vec<PostNormLayer<B>>,
    pub(super) head: Head<B>,
}

/// The product with the vocabulary, and what precedes it.
#[derive(Debug)]
pub(super) struct Head<B: Backend> {
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

impl<B: Backend> PostNormDecoder<B> {
    /// Starts a batch of images with these states (images * states, width): computes each
    /// layer's cross-attention keys and values, once for all steps.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(&self, image_states: &B::Rows, states: usize) -> Result<DecoderState<B>> {
        let attentions = self.layers.iter().filter_map(|layer| layer.crossattention.as_ref());
        let cross =
            attentions.map(|attention| attention.keys_and_values(&self.backend, image_states));
        Ok(DecoderState::of_keys(cross.collect::<Result<_>>()?, states))
    }

    /// Starts a batch of images with these rows (images * rows, width) as the first rows of its
    /// KV cache. The rows of an image attend to each other and to no text.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin_with_rows(
        &self,
        image_rows: &B::Rows,
        [images, rows]: [usize; 2],
    ) -> Result<DecoderState<B>> {
        let backend = &self.backend;
        let mut state = DecoderState::of_keys(Vec::new(), 0);
        let DecoderState { cache, work, .. } = &mut state;
        let Some((last, before)) = self.layers.split_last() else { return Ok(state) };
        for first in (0..images).step_by(IMAGES) {
            let count = IMAGES.min(images - first);
            let ids = (first * rows) as u32..((first + count) * rows) as u32;
            let ids: Vec<u32> = ids.collect();
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

impl<B: Backend> Decoder for PostNormDecoder<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        let backend = &self.backend;
        state.embed(backend, &self.word_embeddings, step.inputs())?;
        if state.states > 0 {
            state.prepare_images(backend, step)?;
        }
        let DecoderState { cache, work, cross, logits, images, .. } = state;
        let images = images.as_ref().map(|(_, scope)| scope);
        let Workspace { rows, next, .. } = &mut *work;
        let positions = step.positions(self.position_offset);
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
        let Head { transform, output } = &self.head;
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
