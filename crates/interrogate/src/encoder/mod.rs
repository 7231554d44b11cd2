//! The seam between models and everything else.
//!
//! A model is two traits: [`TextEncoder`] turns labels into [`Embeddings`],
//! [`ImageEncoder`] turns pictures into [`Features`]. Both give unit rows of the
//! same width, so that a dot product is a cosine. The builder, the ranking and
//! the prompts know nothing of a model but these.

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
use crate::picture::{Picture, Pixels};

/// Turns texts into unit rows.
///
/// Two steps, so that a builder can order the work by tokens (batches of one
/// length, a trie of prefixes) before any of it is computed.
pub trait TextEncoder: Send + Sync {
    /// Values in a row.
    fn dim(&self) -> usize;

    /// The token sequences of `texts`, in their order, special tokens included,
    /// cut to the model's context length with the end-of-text token kept, and
    /// never padded.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] where the tokenizer refuses a text.
    fn tokenize(&self, texts: &[&str]) -> Result<Tokens>;

    /// The embeddings of token sequences, (sequences, dim), in their order.
    ///
    /// The implementation batches as it likes; a row does not depend on the
    /// rows beside it by more than rounding.
    ///
    /// # Errors
    /// [`crate::Error::Engine`] where the engine fails,
    /// [`crate::Error::Direction`] where a row comes out zero or not finite.
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings>;

    /// Tokens in a sequence at most, special tokens included; what is beyond is
    /// cut. Without end unless the model says otherwise.
    fn context_length(&self) -> usize {
        usize::MAX
    }

    /// A way to embed what may follow a text for less than the whole texts cost,
    /// where the model has one.
    fn continuations(&self) -> Option<Box<dyn Continuations + '_>> {
        None
    }

    /// [`tokenize`](Self::tokenize), then [`embed`](Self::embed).
    ///
    /// # Errors
    /// Those of the two.
    fn encode(&self, texts: &[&str]) -> Result<Embeddings> {
        self.embed(&self.tokenize(texts)?)
    }
}

/// Turns pictures into unit rows.
///
/// Two steps, so that pictures can be decoded and reduced ahead of the tower, on
/// other threads, and none of them is held any longer than that takes.
pub trait ImageEncoder: Send + Sync {
    /// Values in a row.
    fn dim(&self) -> usize;

    /// What the tower takes of `picture`: resize, crop, mean and std are the
    /// encoder's own. Runs on the calling thread alone.
    ///
    /// # Errors
    /// [`crate::Error::PictureResize`] where the picture cannot be brought to
    /// size.
    fn prepare(&self, picture: &Picture) -> Result<Pixels>;

    /// The features of pictures that [`prepare`](Self::prepare) prepared, in
    /// their order. A row has the same bits alone and in any company.
    ///
    /// # Errors
    /// [`crate::Error::Dim`] for pixels of another encoder's,
    /// [`crate::Error::Engine`] where the engine fails,
    /// [`crate::Error::Direction`] where a row comes out zero or not finite.
    fn encode_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Features>>;

    /// [`prepare`](Self::prepare) on all threads, then
    /// [`encode_prepared`](Self::encode_prepared): the features of `pictures`,
    /// in their order.
    ///
    /// # Errors
    /// Those of the two.
    fn encode(&self, pictures: &[Picture]) -> Result<Vec<Features>> {
        let pixels: Result<Vec<Pixels>> =
            pictures.par_iter().map(|picture| self.prepare(picture)).collect();
        self.encode_prepared(&pixels?.iter().collect::<Vec<_>>())
    }
}
