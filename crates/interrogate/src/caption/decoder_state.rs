//! The state of a batch between the steps of a decoder.

use super::generate::{Input, Step};
use crate::Result;
use crate::nn::{
    Backend, KeysAndValues, KvCache, LogitsRequest, ReducedLogits, Scope, Span, Workspace,
};

/// The state of a batch.
#[derive(Debug)]
pub(super) struct DecoderState<B: Backend> {
    pub(super) cache: KvCache<B>,
    pub(super) work: Workspace<B>,
    /// The keys and values of the image states, (images * states, width), for each layer with
    /// cross-attention.
    pub(super) cross: Vec<KeysAndValues<B>>,
    /// Image states per image.
    pub(super) states: usize,
    /// The image embeddings that [`Input::Image`] refers to, and their number.
    embeddings: Option<(B::Rows, usize)>,
    /// The logits of the last step.
    pub(super) logits: B::Rows,
    /// The last step's rows of each image, and their scope. While no image leaves the batch and
    /// no beam ends, the next step has the same.
    pub(super) images: Option<(Vec<Span>, B::Scope)>,
}

impl<B: Backend> DecoderState<B> {
    /// Creates the state of a decoder that reads image embeddings, `count` rows, like tokens.
    pub(super) fn of_embeddings(embeddings: B::Rows, count: usize) -> Self {
        DecoderState {
            embeddings: Some((embeddings, count)),
            ..DecoderState::of_keys(Vec::new(), 0)
        }
    }

    /// Creates the state of a decoder with cross-attention to the keys and values of images, of
    /// `states` rows each.
    pub(super) fn of_keys(cross: Vec<KeysAndValues<B>>, states: usize) -> Self {
        let (cache, work) = (KvCache::default(), Workspace::default());
        let logits = B::Rows::default();
        DecoderState { cache, work, cross, states, embeddings: None, logits, images: None }
    }

    /// Prepares the scope of `step` in which each row attends to the states of its image, if it
    /// is not the last step's.
    pub(super) fn prepare_images(&mut self, backend: &B, step: &Step) -> Result<()> {
        let spans = step.images(self.states);
        if self.images.as_ref().is_none_or(|(last, _)| *last != spans) {
            let scope = backend.scope(Scope::Spans(spans.clone()))?;
            self.images = Some((spans, scope));
        }
        Ok(())
    }

    /// Reduces the logits of the last step.
    pub(super) fn reduce_logits(
        &self,
        backend: &B,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        backend.reduce_logits(&self.logits, request)
    }

    /// Takes the logits of the last step out.
    pub(super) fn take_logits(&mut self, backend: &B) -> Result<Vec<f32>> {
        backend.download(std::mem::take(&mut self.logits))
    }

    /// Writes each input's embedding to the rows of the workspace: a row of `tokens` or an image
    /// embedding.
    pub(super) fn embed(
        &mut self,
        backend: &B,
        tokens: &B::Table,
        inputs: impl Iterator<Item = Input>,
    ) -> Result<()> {
        let Workspace { rows, next, normed, .. } = &mut self.work;
        let images = self.embeddings.as_ref().map_or(0, |(_, count)| *count);
        let mut ids = Vec::new();
        // In the concatenated table, image embeddings precede tokens.
        let indices = inputs.map(|input| match input {
            Input::Image(index) => index,
            Input::Token(id) => {
                ids.push(id);
                (images + ids.len() - 1) as u32
            }
        });
        let indices: Vec<u32> = indices.collect();
        match &self.embeddings {
            Some((embeddings, _)) if ids.len() < indices.len() => {
                backend.lookup(tokens, &ids, next)?;
                backend.concat(&[embeddings, next], normed)?;
                backend.select(normed, &backend.ids(&indices)?, rows)
            }
            _ => backend.lookup(tokens, &ids, rows),
        }
    }
}
