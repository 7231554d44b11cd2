//! all-MiniLM-L6-v2 and its kin: texts to sentence embeddings.
//!
//! Owns the sentence encoder as sentence-transformers runs it: uncased
//! wordpieces, BERT, the mean over the tokens, unit length. The starter is built
//! on it, and prompts are embedded with it. It does not own where its files come
//! from.

mod bert;
mod config;
#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod tests;
mod wordpiece;

use std::path::Path;

use candle_transformers::models::bert::Config;

use crate::encoder::{Counter, Embeddings, TextEncoder, Tokens};
use crate::nn::{Compute, Cpu, Gpu};
use crate::weights::Weights;
use crate::{Result, input, limits};
use bert::{Bert, Means};
use wordpiece::WordPiece;

/// Tokens that a text is cut to, special ones included, where no
/// `sentence_bert_config.json` says otherwise: what all-MiniLM-L6-v2's does.
const CONTEXT: usize = 256;

/// A sentence encoder: texts to unit rows whose dot product says how alike they
/// are in meaning.
///
/// Rows are those of sentence-transformers within 1e-6, from the same f32
/// weights. Nothing is padded, and a row is the same bits whichever texts it is
/// encoded beside. On a device sequences are padded to others of about their length,
/// and a row is the same within rounding.
#[derive(Debug)]
pub struct MiniLm {
    bert: Box<dyn Means>,
    wordpiece: WordPiece,
    dim: usize,
}

impl MiniLm {
    /// Opens the checkpoint in `folder`: `config.json`, `tokenizer.json` and
    /// `model.safetensors`, as the hub has sentence-transformers/all-MiniLM-L6-v2, and
    /// where they are there sentence-transformers' own `sentence_bert_config.json` and
    /// `1_Pooling/config.json`.
    ///
    /// # Errors
    /// [`Io`](crate::Error::Io) and [`Json`](crate::Error::Json) for files that do not
    /// read, [`Mismatch`](crate::Error::Mismatch) for a configuration of another
    /// architecture or a tokenizer of another vocabulary,
    /// [`Tokenizer`](crate::Error::Tokenizer), and the checkpoint errors of [`Weights`].
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, &Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and of [`Device::check`](crate::Device::check).
    pub fn open_with(folder: &Path, compute: &Compute) -> Result<Self> {
        Self::open_on(folder, compute, compute.opened()?.as_ref())
    }

    /// The same on `device`, or by this library's own kernels.
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

    /// The same from weights and a tokenizer that are compiled in; `path` stands
    /// for the tokenizer in errors. The configuration is all-MiniLM-L6-v2's.
    #[cfg(starter)]
    pub(crate) fn embedded(
        weights: Weights,
        path: &Path,
        tokenizer: &[u8],
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let config = Config {
            hidden_size: 384,
            num_hidden_layers: 6,
            intermediate_size: 1536,
            ..Config::default()
        };
        let wordpiece = WordPiece::new(path, tokenizer, CONTEXT)?;
        Self::new(weights, &config, wordpiece, compute, device)
    }

    fn new(
        weights: Weights,
        config: &Config,
        wordpiece: WordPiece,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        wordpiece.fits(config.vocab_size)?;
        let precision = compute.precision;
        let bert: Box<dyn Means> = match device {
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
        // The row of a sequence without a token is zero, and is refused here.
        Embeddings::new(self.dim, self.bert.means(tokens)?)
    }
}

/// The tokenizer alone, from the text of a `tokenizer.json`; `path` stands for it in
/// errors.
#[cfg(starter)]
pub(crate) fn counter(path: &Path, json: &[u8]) -> Result<WordPiece> {
    WordPiece::new(path, json, CONTEXT)
}

/// Weights that no mean over the tokens needs: the pooler's and the position numbers.
fn known(name: &str) -> bool {
    name.starts_with("pooler.") || name.ends_with("position_ids")
}
