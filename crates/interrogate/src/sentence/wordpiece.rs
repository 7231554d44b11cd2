//! BERT's uncased wordpieces: texts to token ids.
//!
//! Owns the tokenizer and the truncation to the context length. The vocabulary is in the
//! checkpoint's `tokenizer.json`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::encoder::{Counter, Tokens};
use crate::tokenization::{self, tokenizer_error};
use crate::{Error, Result};

/// A tokenizer that does not pad, and truncates before the end token.
#[derive(Debug)]
pub(crate) struct WordPiece {
    path: PathBuf,
    tokenizer: Tokenizer,
    context: usize,
}

impl WordPiece {
    /// Parses `json`, the text of a `tokenizer.json`. Errors name `path`. Truncation and
    /// padding of the file are replaced by truncation to `context` tokens, including special
    /// tokens.
    pub(super) fn new(path: &Path, json: &[u8], context: usize) -> Result<Self> {
        let mut tokenizer = tokenization::read(json).map_err(tokenizer_error(path))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(tokenizer_error(path))?;
        Ok(WordPiece { path: path.to_owned(), tokenizer, context })
    }

    /// Checks that every id is below `size`, the number of token embeddings.
    ///
    /// # Errors
    /// [`Error::Mismatch`].
    pub(super) fn check_vocabulary(&self, size: usize) -> Result<()> {
        let found = self.tokenizer.get_vocab_size(true);
        if found > size {
            let expected = format!("at most {size} tokens as in config.json");
            return Err(Error::mismatch(&self.path, "vocabulary", expected, found));
        }
        Ok(())
    }

    /// Returns the sequences of `texts`, in order. Uses all threads.
    pub(super) fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        let encode = |text: &&str| tokenization::encode(&self.path, &self.tokenizer, text);
        let encodings = texts.par_iter().map(encode).collect::<Result<Vec<_>>>()?;
        let mut tokens = Tokens::new();
        for ids in &encodings {
            match &ids[..] {
                // Truncates like sentence-transformers, which keeps the last id, [SEP].
                [head @ .., end] if head.len() >= self.context => {
                    tokens.push(&[&head[..self.context - 1], &[*end]].concat());
                }
                ids => tokens.push(ids),
            }
        }
        Ok(tokens)
    }
}

impl Counter for WordPiece {
    fn count(&self, text: &str) -> Result<usize> {
        Ok(tokenization::encode(&self.path, &self.tokenizer, text)?.len())
    }

    fn context_length(&self) -> usize {
        self.context
    }
}
