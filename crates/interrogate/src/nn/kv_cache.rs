//! The KV cache: keys and values that later tokens attend to.

use super::backend::{Backend, KvView};
use crate::Result;

/// The keys and values of tokens, by layer: `2 * layers * width * 4` bytes per token.
///
/// Rows are written once. A sequence is a list of row numbers, so sequences share the rows of
/// their common prefix.
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
    /// Removes all but the first `rows` rows.
    pub(crate) fn truncate(&mut self, backend: &B, rows: usize) {
        self.layers.iter_mut().for_each(|layer| backend.truncate(layer, rows));
    }

    /// Returns layer number `layer`, or `None` if nothing was ever appended to it.
    pub(crate) fn layer(&self, layer: usize) -> Option<&B::KvLayer> {
        self.layers.get(layer)
    }

    /// Appends keys and values to layer number `layer`, and returns the layer.
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

/// How a layer uses a KV cache.
#[derive(Debug)]
pub(crate) enum Kv<'a, B: Backend> {
    /// Attends to the rows of the current call alone.
    None,
    /// Attends to the cached rows and to those of the current call.
    Read(&'a KvCache<B>),
    /// Appends the keys and values of the current call, then attends to all cached rows.
    Append(&'a mut KvCache<B>),
    /// Appends the keys and values of the current call, and attends to the rows of the current
    /// call alone.
    Record(&'a mut KvCache<B>),
}

impl<B: Backend> Kv<'_, B> {
    /// Returns the keys and values that layer number `layer` attends to; `keys` and `values` are
    /// those of the current call.
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
            Kv::Record(cache) => {
                cache.append(backend, layer, keys, values)?;
                KvView::uncached(keys, values)
            }
        })
    }
}
