//! Embeddings of one text followed by each of many.

use super::Embeddings;
use crate::Result;

/// Embeds one text followed by each of many: a step of a chain, which scores a few thousand
/// phrases after the prompt so far.
///
/// Implementations cache the prefix of the last call. If the prefix grows from call to call,
/// a call computes only the added tokens and those of the suffixes.
pub trait Continuations {
    /// Returns the embeddings (suffixes, dim) of `prefix` directly followed by each of
    /// `suffixes`, in order. They are bit for bit those of
    /// [`TextEncoder::encode`](super::TextEncoder::encode) for the joined texts.
    ///
    /// # Errors
    /// The errors of [`TextEncoder::encode`](super::TextEncoder::encode).
    fn embed(&mut self, prefix: &str, suffixes: &[&str]) -> Result<Embeddings>;
}
