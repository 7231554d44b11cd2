//! The path that a trie hangs from: keys and values that are on the device already.

use candle_core::{Result, Tensor};

/// The tokens of a path, and for each layer the keys and values (tokens, width) that
/// later tokens attend to.
#[derive(Clone, Debug, Default)]
pub(in crate::clip) struct Past {
    tokens: Vec<u32>,
    layers: Vec<[Tensor; 2]>,
}

impl Past {
    pub(in crate::clip) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(super) fn layer(&self, layer: usize) -> Option<&[Tensor; 2]> {
        self.layers.get(layer)
    }

    /// Forgets all but the first `tokens`.
    pub(super) fn truncate(&mut self, tokens: usize) -> Result<()> {
        if tokens == 0 {
            self.layers.clear();
        }
        for all in self.layers.iter_mut().flatten() {
            *all = all.narrow(0, 0, tokens.min(all.dim(0)?))?;
        }
        self.tokens.truncate(tokens);
        Ok(())
    }

    /// Goes on by `tokens`, with the keys and values of all that there is then.
    pub(super) fn grow(&mut self, tokens: &[u32], layers: Vec<[Tensor; 2]>) {
        self.tokens.extend_from_slice(tokens);
        self.layers = layers;
    }
}
