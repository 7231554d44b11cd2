//! The number of tokens of a text.

use crate::Result;
#[cfg(doc)]
use crate::error::CheckpointError;

/// Counts tokens with a model's tokenizer, without its weights.
pub trait Counter: Send + Sync {
    /// Returns the number of tokens of `text`, including special tokens, without truncation.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`] if the tokenizer refuses the text.
    fn count(&self, text: &str) -> Result<usize>;

    /// Returns the maximum number of tokens that the model reads, including special tokens:
    /// 77 for CLIP.
    fn context_length(&self) -> usize;
}
