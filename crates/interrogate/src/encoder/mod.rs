//! The interface between models and everything else.
//!
//! A model implements two traits: [`TextEncoder`] encodes texts to [`Embeddings`],
//! [`ImageEncoder`] encodes images to [`Features`]. Both return unit rows of the same width,
//! so a dot product is a cosine. The index builder, the ranking and the prompts use models
//! only through these traits.

mod continuations;
mod counter;
mod rows;
mod tokens;

pub use continuations::Continuations;
pub use counter::Counter;
pub use rows::{Embeddings, Features};
pub use tokens::Tokens;
pub(crate) use tokens::check_vocabulary;

use rayon::prelude::*;

use crate::Result;
#[cfg(doc)]
use crate::error::{CheckpointError, DeviceError, PictureError, RowsError};
use crate::picture::{Picture, Pixels};

/// How to call [`TextEncoder::embed`] for many texts at full speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// The number of texts per call, at least 1.
    pub texts: usize,
    /// The number of calls at a time, each on a thread of its own, at least 1.
    pub at_once: usize,
}

/// Encodes texts to unit rows.
///
/// Tokenizing and embedding are two steps, so that a builder can sort texts by tokens before
/// it embeds them (batches of equal length, tries of common prefixes).
pub trait TextEncoder: Send + Sync {
    /// Returns the width of a row.
    fn dim(&self) -> usize;

    /// Returns the token sequences of `texts`, in order. They include special tokens, are
    /// truncated to the context length before the end-of-text token, and are not padded.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`] if the tokenizer refuses a text.
    fn tokenize(&self, texts: &[&str]) -> Result<Tokens>;

    /// Returns the embeddings (sequences, dim) of token sequences, in order.
    ///
    /// Implementations choose their own batches. The other sequences change a row by
    /// rounding at most.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`] if the computation fails, [`RowsError::Direction`] if a
    /// row is zero or not finite.
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings>;

    /// Returns the maximum number of tokens in a sequence, including special tokens. The
    /// default is no limit.
    fn context_length(&self) -> usize {
        usize::MAX
    }

    /// Returns how to embed many texts at full speed, if a few thousand per call, one call after
    /// the other, are too few: a device computes large batches, and one while the host prepares
    /// the next. The default is `None`.
    fn calls(&self) -> Option<Calls> {
        None
    }

    /// Returns a cheaper way to embed a text followed by each of many, if the model has one.
    fn continuations(&self) -> Option<Box<dyn Continuations + '_>> {
        None
    }

    /// Calls [`tokenize`](Self::tokenize), then [`embed`](Self::embed).
    ///
    /// # Errors
    /// The errors of both.
    fn encode(&self, texts: &[&str]) -> Result<Embeddings> {
        self.embed(&self.tokenize(texts)?)
    }
}

/// Encodes images to unit rows.
///
/// Preprocessing and encoding are two steps, so that decoded images can be reduced to the
/// tower's input on other threads, and freed early.
pub trait ImageEncoder: Send + Sync {
    /// Returns the width of a row.
    fn dim(&self) -> usize;

    /// Returns the tower's input for `picture`: resized, cropped and normalized. Uses the
    /// calling thread only.
    ///
    /// # Errors
    /// [`PictureError::Resize`] if the image cannot be resized.
    fn prepare(&self, picture: &Picture) -> Result<Pixels>;

    /// Returns the features of prepared images, in order. On the CPU, the other images of the
    /// call do not change the bits of a row.
    ///
    /// # Errors
    /// [`RowsError::Dim`] for pixels of another size, [`DeviceError::Tensors`] if the
    /// computation fails, [`RowsError::Direction`] if a row is zero or not finite.
    fn encode_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Features>>;

    /// Returns the features of `pictures`, in order: [`prepare`](Self::prepare) on all
    /// threads, then [`encode_prepared`](Self::encode_prepared).
    ///
    /// # Errors
    /// The errors of both.
    fn encode(&self, pictures: &[Picture]) -> Result<Vec<Features>> {
        let pixels: Result<Vec<Pixels>> =
            pictures.par_iter().map(|picture| self.prepare(picture)).collect();
        self.encode_prepared(&pixels?.iter().collect::<Vec<_>>())
    }
}
