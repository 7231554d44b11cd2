//! all-MiniLM-L6-v2 and its kin: texts to sentence embeddings.
//!
//! Owns the sentence encoder as sentence-transformers runs it: uncased
//! wordpieces, BERT, the mean over the tokens, unit length. The starter is built
//! on it, and prompts are embedded with it. It does not own where its files come
//! from.

mod attention;
mod batches;
mod bert;
mod fused;
mod lanes;
#[cfg(test)]
mod tests;
mod wordpiece;

use std::fmt::Display;
use std::path::Path;

use candle_transformers::models::bert::{Config, HiddenAct};
use rayon::prelude::*;

use crate::encoder::{Embeddings, TextEncoder, Tokens};
use crate::weights::Weights;
use crate::{Error, Result};
use batches::{Batch, equal_lengths};
use bert::Bert;
use wordpiece::WordPiece;

/// Tokens that a text is cut to, special ones included, as the checkpoint's
/// `sentence_bert_config.json` says.
const CONTEXT: usize = 256;

/// Tokens of one batch. Larger ones fall out of the caches, smaller ones leave
/// the products too thin.
const BATCH: usize = 1024;

/// A sentence encoder: texts to unit rows whose dot product says how alike they
/// are in meaning.
///
/// Rows are those of sentence-transformers within 1e-5, from the same f32
/// weights. Sequences of one length are batched and nothing is padded, so that a
/// row does not depend on its neighbours by more than rounding.
#[derive(Debug)]
pub struct MiniLm {
    bert: Bert,
    wordpiece: WordPiece,
    dim: usize,
}

impl MiniLm {
    /// Opens the checkpoint in `folder`: `config.json`, `tokenizer.json` and
    /// `model.safetensors`, as the hub has sentence-transformers/all-MiniLM-L6-v2.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Json`] for files that do not read,
    /// [`Error::Mismatch`] for a configuration of another architecture or a
    /// tokenizer of another vocabulary, [`Error::Tokenizer`], and the
    /// checkpoint errors of [`Weights`].
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |path: &Path| std::fs::read(path).map_err(Error::io("read", path));
        let path = folder.join("config.json");
        let config = serde_json::from_slice(&read(&path)?)
            .map_err(|source| Error::Json { path: path.clone(), source })?;
        checked(&path, &config)?;
        let tokenizer = folder.join("tokenizer.json");
        let wordpiece = WordPiece::new(&tokenizer, &read(&tokenizer)?, CONTEXT)?;
        Self::new(Weights::open(&folder.join("model.safetensors"))?, &config, wordpiece)
    }

    /// The same from weights and a tokenizer that are compiled in; `path` stands
    /// for the tokenizer in errors. The configuration is all-MiniLM-L6-v2's.
    #[cfg(feature = "starter")]
    pub(crate) fn embedded(weights: Weights, path: &Path, tokenizer: &[u8]) -> Result<Self> {
        let config = Config {
            hidden_size: 384,
            num_hidden_layers: 6,
            intermediate_size: 1536,
            ..Config::default()
        };
        Self::new(weights, &config, WordPiece::new(path, tokenizer, CONTEXT)?)
    }

    fn new(weights: Weights, config: &Config, wordpiece: WordPiece) -> Result<Self> {
        wordpiece.fits(config.vocab_size)?;
        Ok(MiniLm { bert: Bert::new(weights, config)?, wordpiece, dim: config.hidden_size })
    }
}

impl TextEncoder for MiniLm {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.wordpiece.tokenize(texts)
    }

    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        let encode = |batch: &Batch| {
            let sequences = batch.rows.iter().filter_map(|&row| tokens.get(row));
            self.bert.means(&sequences.collect::<Vec<_>>().concat(), batch.length)
        };
        let batches = equal_lengths(tokens, BATCH);
        let means = batches.par_iter().map(encode).collect::<Result<Vec<_>>>()?;
        // A sequence without a token stays zero, and is refused below.
        let mut rows = vec![0.0; tokens.len() * self.dim];
        for (batch, means) in batches.iter().zip(&means) {
            for (&row, mean) in batch.rows.iter().zip(means.chunks_exact(self.dim)) {
                rows[row * self.dim..(row + 1) * self.dim].copy_from_slice(mean);
            }
        }
        Embeddings::new(self.dim, rows)
    }
}

/// That `config`, read from `path`, is one that this encoder can run.
fn checked(path: &Path, config: &Config) -> Result<()> {
    let refuse = |what, expected: &dyn Display, found: &dyn Display| {
        Err(Error::mismatch(path, what, expected, found))
    };
    if let Some(kind) = config.model_type.as_deref().filter(|&kind| kind != "bert") {
        return refuse("model_type", &"bert", &kind);
    }
    if config.hidden_act != HiddenAct::Gelu {
        return refuse("hidden_act", &"gelu", &format!("{:?}", config.hidden_act).to_lowercase());
    }
    let (dim, heads) = (config.hidden_size, config.num_attention_heads);
    if dim == 0 || heads == 0 || !dim.is_multiple_of(heads) {
        let expected = format!("a number that divides hidden_size {dim}");
        return refuse("num_attention_heads", &expected, &heads);
    }
    if config.max_position_embeddings < CONTEXT {
        let expected = format!("{CONTEXT} or more");
        return refuse("max_position_embeddings", &expected, &config.max_position_embeddings);
    }
    if config.type_vocab_size == 0 {
        return refuse("type_vocab_size", &"1 or more", &0);
    }
    Ok(())
}
