//! A text that grows, and what may follow it.

use super::Embeddings;
use crate::Result;

/// Embeds one text followed by each of many: the steps of a chain, which tries
/// a few thousand phrases behind the prompt that it has so far.
///
/// It remembers the text of the last call, so that a text that grows from call
/// to call costs what was added, and each suffix its own tokens.
pub trait Continuations {
    /// The embeddings of `prefix` directly followed by each of `suffixes`,
    /// (suffixes, dim), in their order: bit for bit those that
    /// [`TextEncoder::encode`](super::TextEncoder::encode) gives for the joined
    /// texts.
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode`](super::TextEncoder::encode).
    fn embed(&mut self, prefix: &str, suffixes: &[&str]) -> Result<Embeddings>;
}
