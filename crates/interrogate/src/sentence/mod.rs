//! all-MiniLM-L6-v2 and its kin: texts to sentence embeddings.
//!
//! Owns the sentence encoder as sentence-transformers runs it: uncased
//! wordpieces, BERT, the mean over the tokens, unit length. The starter is built
//! on it, and prompts are embedded with it. It does not own where its files come
//! from.

mod bert;
mod config;
mod embedding;
mod engine;
mod layer;
mod named;
#[cfg(test)]
mod tests;
mod wordpiece;

use std::ops::Range;
use std::path::Path;

use candle_transformers::models::bert::Config;

use crate::encoder::{Counter, Embeddings, TextEncoder, Tokens};
use crate::nn::Compute;
use crate::nn::threads::each;
use crate::weights::Weights;
use crate::{Result, input, limits};
use bert::Bert;
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
    tower: Tower,
    wordpiece: WordPiece,
    dim: usize,
    batch_tokens: usize,
}

/// Where it computes.
#[derive(Debug)]
enum Tower {
    Kernels(Bert),
    Device(engine::Bert),
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
    /// Those of [`open`](Self::open), and of [`Device::open`](crate::Device::open).
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
    #[cfg(feature = "starter")]
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
        let tower = match device {
            Some(device) => Tower::Device(engine::Bert::new(weights, config, compute, device)?),
            None => Tower::Kernels(Bert::new(weights, config, compute)?),
        };
        let batch_tokens = compute.batch_tokens;
        Ok(MiniLm { tower, wordpiece, dim: config.hidden_size, batch_tokens })
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
        let rows = match &self.tower {
            Tower::Kernels(bert) => {
                let batches: Vec<_> = batches(tokens, self.batch_tokens).collect();
                each(batches.into_iter(), |batch| bert.means(tokens, batch))?.concat()
            }
            Tower::Device(bert) => bert.means(tokens)?,
        };
        // The row of a sequence without a token is zero, and is refused here.
        Embeddings::new(self.dim, rows)
    }
}

/// The tokenizer alone, from the text of a `tokenizer.json`; `path` stands for it in
/// errors.
#[cfg(feature = "starter")]
pub(crate) fn counter(path: &Path, json: &[u8]) -> Result<WordPiece> {
    WordPiece::new(path, json, CONTEXT)
}

/// Weights that no mean over the tokens needs: the pooler's and the position numbers.
fn known(name: &str) -> bool {
    name.starts_with("pooler.") || name.ends_with("position_ids")
}

/// The sequences in order, in ranges of at most `budget` tokens, or of one
/// sequence that alone has more.
fn batches(tokens: &Tokens, budget: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut total = 0;
        let fits = (start..tokens.len()).take_while(|&row| {
            total += tokens.get(row).unwrap_or_default().len();
            total <= budget
        });
        let end = (start + fits.count().max(1)).min(tokens.len());
        let batch = start..end;
        start = end;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod batch_tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch_within_the_budget(
            lengths in prop::collection::vec(0usize..12, 0..60),
            budget in 1usize..40,
        ) {
            let mut tokens = Tokens::new();
            lengths.iter().for_each(|&length| tokens.push(&vec![1; length]));
            let mut rows = Vec::new();
            for batch in batches(&tokens, budget) {
                let total: usize = lengths[batch.clone()].iter().sum();
                prop_assert!(batch.len() == 1 || total <= budget);
                rows.extend(batch);
            }
            prop_assert_eq!(rows, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
