//! Sentence embeddings: all-MiniLM-L6-v2 and similar models.
//!
//! Owns the sentence encoder of sentence-transformers: uncased wordpieces, BERT, the mean over
//! the tokens, unit length. The starter is built on it, and it embeds prompts. `models` finds
//! its files.

mod bert;
mod config;
#[cfg(doc)]
use crate::error::CheckpointError;

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod tests;
mod wordpiece;

use std::path::Path;

use crate::encoder::{Counter, Embeddings, TextEncoder, Tokens};
use crate::nn::{Compute, Cpu, Gpu};
use crate::weights::Weights;
use crate::{Result, input, limits};
use bert::{Bert, Tower};
use config::Config;
use wordpiece::WordPiece;

/// The name of the default model.
pub const NAME: &str = "all-MiniLM-L6-v2";

/// The default context length in tokens, special tokens included: that of all-MiniLM-L6-v2. A
/// `sentence_bert_config.json` may set another.
const CONTEXT: usize = 256;

/// A sentence encoder: texts to unit rows whose dot product is their semantic similarity.
///
/// Rows agree with sentence-transformers within 1e-6, from the same f32 weights. On the CPU
/// nothing is padded, and a row is the same bits whichever texts are encoded with it. On
/// another device, sequences are padded to others of about the same length, and a row is the
/// same within rounding.
#[derive(Debug)]
pub struct MiniLm {
    bert: Box<dyn Tower>,
    wordpiece: WordPiece,
    dim: usize,
}

impl MiniLm {
    /// Opens the checkpoint in `folder`: `config.json`, `tokenizer.json` and
    /// `model.safetensors`, as in sentence-transformers/all-MiniLM-L6-v2 on the hub, and
    /// optionally `sentence_bert_config.json` and `1_Pooling/config.json`.
    ///
    /// # Errors
    /// [`Io`](crate::Error::Io) and [`Json`](crate::Error::Json) for files that cannot be read
    /// or parsed, [`Mismatch`](crate::Error::Mismatch) for a configuration of another
    /// architecture or a tokenizer of another vocabulary,
    /// [`CheckpointError::Tokenizer`], and the checkpoint errors of [`Weights`].
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, &Compute::default())
    }

    /// Opens the checkpoint like [`open`](Self::open), with the settings of `compute`.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open) and of [`Device::check`](crate::Device::check).
    pub fn open_with(folder: &Path, compute: &Compute) -> Result<Self> {
        Self::open_on(folder, compute, compute.opened()?.as_ref())
    }

    /// Opens the checkpoint on `device`, or on the CPU for this library's own kernels.
    fn open_on(
        folder: &Path,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let (config, context) = config::open(folder)?;
        let tokenizer = folder.join("tokenizer.json");
        let json = input::read(&tokenizer, limits::SMALL_FILE)?;
        let wordpiece = WordPiece::new(&tokenizer, &json, context)?;
        let weights = Weights::open(&folder.join("model.safetensors"))?;
        Self::new(weights, &config, wordpiece, compute, device)
    }

    /// Opens weights and a tokenizer without their configuration, which is that of
    /// all-MiniLM-L6-v2. Errors of the tokenizer name `path`.
    pub(crate) fn without_config(
        weights: Weights,
        path: &Path,
        tokenizer: &[u8],
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let wordpiece = WordPiece::new(path, tokenizer, CONTEXT)?;
        Self::new(weights, &Config::mini_lm(), wordpiece, compute, device)
    }

    fn new(
        weights: Weights,
        config: &Config,
        wordpiece: WordPiece,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        wordpiece.check_vocabulary(config.vocab_size)?;
        let precision = compute.precision_for(weights.is_mostly_f16());
        let bert: Box<dyn Tower> = match device {
            Some(device) => {
                Box::new(Bert::load(weights, config, compute, Gpu::new(device, precision))?)
            }
            None => Box::new(Bert::load(weights, config, compute, Cpu::new(precision))?),
        };
        Ok(MiniLm { bert, wordpiece, dim: config.hidden_size })
    }
}

impl TextEncoder for MiniLm {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.wordpiece.tokenize(texts)
    }

    fn context_length(&self) -> usize {
        self.wordpiece.context_length()
    }

    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        // The row of an empty sequence is zero, and is refused here.
        Embeddings::new(self.dim, self.bert.mean_pool(tokens)?)
    }
}

/// Opens the tokenizer only, from the text of a `tokenizer.json`. Errors name `path`.
pub(crate) fn counter(path: &Path, json: &[u8]) -> Result<WordPiece> {
    WordPiece::new(path, json, CONTEXT)
}

/// Returns whether a weight is accepted but not used: the pooler's and the position ids.
fn is_ignored(name: &str) -> bool {
    name.starts_with("pooler.") || name.ends_with("position_ids")
}
