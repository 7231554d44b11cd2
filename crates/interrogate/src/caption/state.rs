//! What the decoders of captions keep of a batch.

use super::generate::Input;
use crate::Result;
use crate::nn::{Backend, KeysAndValues, KvCache, Workspace};

/// The state of one batch.
#[derive(Debug)]
pub(super) struct State<B: Backend> {
    pub(super) cache: KvCache<B>,
    pub(super) work: Workspace<B>,
    /// The keys and values of the images' states, (images * states, width) for each layer
    /// that attends to them.
    pub(super) across: Vec<KeysAndValues<B>>,
    /// States of an image among those.
    pub(super) states: usize,
    /// The image embeddings that inputs number, and how many there are.
    embeddings: Option<(B::Rows, usize)>,
}

impl<B: Backend> State<B> {
    /// A batch of images whose embeddings, `count` rows, are read like tokens.
    pub(super) fn of_embeddings(embeddings: B::Rows, count: usize) -> Self {
        State { embeddings: Some((embeddings, count)), ..State::of_keys(Vec::new(), 0) }
    }

    /// A batch of images of `states` states each, whose keys and values are attended to.
    pub(super) fn of_keys(across: Vec<KeysAndValues<B>>, states: usize) -> Self {
        let (cache, work) = (KvCache::default(), Workspace::default());
        State { cache, work, across, states, embeddings: None }
    }

    /// Writes to the rows of the workspace what stands at each position: a row of `tokens`,
    /// or an image's embedding.
    pub(super) fn embed(
        &mut self,
        backend: &B,
        tokens: &B::Table,
        inputs: impl Iterator<Item = Input>,
    ) -> Result<()> {
        let Workspace { rows, next, normed, .. } = &mut self.work;
        let images = self.embeddings.as_ref().map_or(0, |(_, count)| *count);
        let mut ids = Vec::new();
        // Images first, then the tokens.
        let places = inputs.map(|input| match input {
            Input::Image(number) => number,
            Input::Token(id) => {
                ids.push(id);
                (images + ids.len() - 1) as u32
            }
        });
        let places: Vec<u32> = places.collect();
        match &self.embeddings {
            Some((embeddings, _)) if ids.len() < places.len() => {
                backend.lookup(tokens, &ids, next)?;
                backend.concat(&[embeddings, next], normed)?;
                backend.select(normed, &backend.ids(&places)?, rows)
            }
            _ => backend.lookup(tokens, &ids, rows),
        }
    }
}
