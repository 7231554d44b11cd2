//! CLIP's text encoder: its tokenizer and its text tower.

use std::fmt::Debug;

use super::config::Config;
use super::continuations::ClipContinuations;
use super::prefix_cache::PrefixCache;
use super::text_tower::TextTower;
use super::tokenizer::Tokenizer;
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::encoder::{Continuations, Embeddings, TextEncoder, Tokens};
#[cfg(doc)]
use crate::error::CheckpointError;
use crate::nn::{Backend, Compute, Cpu, Gpu};
use crate::weights::Weights;

/// CLIP's text tower with its tokenizer.
///
/// On the CPU, the row of a text is the same bits whichever texts are encoded with it; on
/// another device it is the same within rounding.
#[derive(Debug)]
pub struct ClipText {
    tokenizer: Tokenizer,
    tower: Box<dyn Tower>,
    dim: usize,
}

/// The text tower on any backend.
trait Tower: Debug + Send + Sync {
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings>;

    fn continuations<'a>(&'a self, tokenizer: &'a Tokenizer) -> Box<dyn Continuations + 'a>;
}

impl<B: Backend> Tower for TextTower<B> {
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        self.embed_after(&PrefixCache::default(), tokens)
    }

    fn continuations<'a>(&'a self, tokenizer: &'a Tokenizer) -> Box<dyn Continuations + 'a> {
        Box::new(ClipContinuations::new(tokenizer, self))
    }
}

impl ClipText {
    /// Loads the tower on `device`, or on the CPU.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        tokenizer: Tokenizer,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let precision = compute.precision;
        let tower: Box<dyn Tower> = match device {
            Some(device) => {
                Box::new(TextTower::load(weights, config, compute, Gpu::new(device, precision))?)
            }
            None => Box::new(TextTower::load(weights, config, compute, Cpu::new(precision))?),
        };
        Ok(ClipText { tokenizer, tower, dim: config.projection_dim })
    }

    /// Returns the token that ends every sequence.
    pub fn end_of_text(&self) -> u32 {
        self.tokenizer.end_of_text()
    }
}

impl TextEncoder for ClipText {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.tokenizer.tokenize(texts)
    }

    fn context_length(&self) -> usize {
        self.tokenizer.context_length()
    }

    fn continuations(&self) -> Option<Box<dyn Continuations + '_>> {
        Some(self.tower.continuations(&self.tokenizer))
    }

    /// Returns the embedding of each sequence at its first end-of-text token, like
    /// transformers; tokens after it are ignored.
    ///
    /// A prefix of several sequences is computed once. Memory: about `batch_tokens` rows of
    /// each buffer per thread, besides the result.
    ///
    /// # Errors
    /// The errors of the trait, and [`CheckpointError::TokenSequence`] for a sequence that has no
    /// end-of-text token or is too long.
    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        self.tower.embed(&self.tokenizer.cut_at_end(tokens)?)
    }
}
