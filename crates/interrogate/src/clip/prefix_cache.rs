//! The KV cache of a prefix that many sequences share.

use crate::nn::{Backend, KvCache};

/// The tokens of a prefix, with their keys and values in each layer.
#[derive(Debug)]
pub(super) struct PrefixCache<B: Backend> {
    pub(super) tokens: Vec<u32>,
    pub(super) cache: KvCache<B>,
}

impl<B: Backend> Default for PrefixCache<B> {
    fn default() -> Self {
        PrefixCache { tokens: Vec::new(), cache: KvCache::default() }
    }
}

impl<B: Backend> PrefixCache<B> {
    /// Keeps the first `tokens` tokens.
    pub(super) fn truncate(&mut self, backend: &B, tokens: usize) {
        self.tokens.truncate(tokens);
        self.cache.truncate(backend, tokens);
    }
}
