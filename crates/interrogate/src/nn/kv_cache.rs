//! Keys and values that later tokens attend to.

use super::backend::{Backend, KvView};
use crate::Result;

/// For each layer the keys and values of some tokens, a row each: `2 * layers * width * 4`
/// bytes a token. Rows are written once; a sequence is a list of their numbers, so that
/// sequences share the rows of what they have in common.
#[derive(Debug)]
pub(crate) struct KvCache<B: Backend> {
    layers: Vec<B::KvLayer>,
}

impl<B: Backend> Default for KvCache<B> {
    fn default() -> Self {
        KvCache { layers: Vec::new() }
    }
}

impl<B: Backend> KvCache<B> {
    /// Forgets all but the first `rows`.
    pub(crate) fn truncate(&mut self, backend: &B, rows: usize) {
        self.layers.iter_mut().for_each(|layer| backend.truncate(layer, rows));
    }

    /// Layer number `layer`, where it has rows or had some.
    pub(crate) fn layer(&self, layer: usize) -> Option<&B::KvLayer> {
        self.layers.get(layer)
    }

    /// Appends keys and values to layer number `layer`, and gives all that it has.
    pub(crate) fn append(
        &mut self,
        backend: &B,
        layer: usize,
        keys: &B::Rows,
        values: &B::Rows,
    ) -> Result<&B::KvLayer> {
        if self.layers.len() <= layer {
            self.layers.resize_with(layer + 1, Default::default);
        }
        let layer = &mut self.layers[layer];
        backend.append(layer, keys, values)?;
        Ok(layer)
    }
}

/// What a layer does with a KV cache.
#[derive(Debug)]
pub(crate) enum Kv<'a, B: Backend> {
    /// No cache.
    None,
    /// Attends to its rows.
    Read(&'a KvCache<B>),
    /// Appends its own keys and values, then attends to all.
    Append(&'a mut KvCache<B>),
}

impl<B: Backend> Kv<'_, B> {
    /// What layer number `layer` attends to, whose own keys and values are these.
    pub(crate) fn view<'s>(
        &'s mut self,
        backend: &B,
        layer: usize,
        keys: &'s B::Rows,
        values: &'s B::Rows,
    ) -> Result<KvView<'s, B>> {
        Ok(match self {
            Kv::None => KvView::uncached(keys, values),
            Kv::Read(cache) => KvView { cached: cache.layer(layer), current: Some([keys, values]) },
            Kv::Append(cache) => {
                KvView { cached: Some(cache.append(backend, layer, keys, values)?), current: None }
            }
        })
    }
}
