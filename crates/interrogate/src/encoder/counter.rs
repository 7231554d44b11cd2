//! How long a text is for a model.

use crate::Result;

/// Counts tokens, which takes a model's tokenizer and none of its weights.
pub trait Counter: Send + Sync {
    /// The tokens of `text`, special tokens included, none cut off.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] where the tokenizer refuses the text.
    fn count(&self, text: &str) -> Result<usize>;

    /// Tokens that the model reads at most, special tokens included: 77 for CLIP.
    fn context_length(&self) -> usize;
}
