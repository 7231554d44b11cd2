//! CLIP's text encoder: its tokenizer and its text tower.

use std::fmt::Debug;
use std::panic::resume_unwind;
use std::thread;

use super::config::{Config, TextAttention};
use super::continuations::ClipContinuations;
use super::padded_text_tower::PaddedTextTower;
use super::prefix_cache::PrefixCache;
use super::text_tower::TextTower;
use super::tokenizer::Tokenizer;
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::encoder::{Calls, Continuations, Embeddings, TextEncoder, Tokens};
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
    on_device: bool,
}

/// The text tower on any backend.
trait Tower: Debug + Send + Sync {
    /// Returns the embeddings of sequences that end with end-of-text each.
    fn embed(&self, tokenizer: &Tokenizer, tokens: &Tokens) -> Result<Embeddings>;

    /// Returns how to embed many texts at full speed, if the tower is on a device.
    fn device_calls(&self) -> Calls;

    /// Returns continuations, if sequences can share the computation of a prefix.
    fn continuations<'a>(&'a self, tokenizer: &'a Tokenizer)
    -> Option<Box<dyn Continuations + 'a>>;
}

impl<B: Backend> Tower for TextTower<B> {
    fn embed(&self, _: &Tokenizer, tokens: &Tokens) -> Result<Embeddings> {
        self.embed_after(&PrefixCache::default(), tokens)
    }

    fn device_calls(&self) -> Calls {
        TextTower::device_calls(self)
    }

    fn continuations<'a>(
        &'a self,
        tokenizer: &'a Tokenizer,
    ) -> Option<Box<dyn Continuations + 'a>> {
        Some(Box::new(ClipContinuations::new(tokenizer, self)))
    }
}

impl<B: Backend> Tower for PaddedTextTower<B> {
    fn embed(&self, tokenizer: &Tokenizer, tokens: &Tokens) -> Result<Embeddings> {
        self.embed(&tokenizer.padded(tokens))
    }

    fn device_calls(&self) -> Calls {
        self.device_calls()
    }

    fn continuations<'a>(&'a self, _: &'a Tokenizer) -> Option<Box<dyn Continuations + 'a>> {
        None
    }
}

impl ClipText {
    /// Loads the tower on `device`, or on the CPU. Meanwhile another thread opens the tokenizer.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        tokenizer: impl FnOnce() -> Result<Tokenizer> + Send,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        thread::scope(|scope| {
            let tokenizer = scope.spawn(tokenizer);
            let tower = Self::tower(weights, config, compute, device);
            let tokenizer = tokenizer.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            let (dim, on_device) = (config.projection_dim, device.is_some());
            Ok(ClipText { tokenizer, tower: tower?, dim, on_device })
        })
    }

    fn tower(
        weights: &Weights,
        config: &Config,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Box<dyn Tower>> {
        let precision = compute.precision_for(weights.is_mostly_f16());
        match device {
            Some(device) => tower_on(weights, config, compute, Gpu::new(device, precision)),
            None => tower_on(weights, config, compute, Cpu::new(precision)),
        }
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

    fn calls(&self) -> Option<Calls> {
        self.on_device.then(|| self.tower.device_calls())
    }

    fn continuations(&self) -> Option<Box<dyn Continuations + '_>> {
        self.tower.continuations(&self.tokenizer)
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
        self.tower.embed(&self.tokenizer, &self.tokenizer.cut_at_end(tokens)?)
    }
}

/// Loads the tower on `backend`.
fn tower_on<B: Backend>(
    weights: &Weights,
    config: &Config,
    compute: &Compute,
    backend: B,
) -> Result<Box<dyn Tower>> {
    Ok(match config.text.parts.attention {
        TextAttention::Causal => Box::new(TextTower::load(weights, config, compute, backend)?),
        TextAttention::Padded => {
            Box::new(PaddedTextTower::load(weights, config, compute, backend)?)
        }
    })
}
