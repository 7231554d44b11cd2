//! Labels to token ids: BERT's uncased wordpieces.
//!
//! Owns the tokenizer and the cut at the context length. The vocabulary is the
//! checkpoint's `tokenizer.json`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::encoder::{Counter, Tokens};
use crate::tokenization;
use crate::{Error, Result};

/// A tokenizer that never pads, and cuts before its end token.
#[derive(Debug)]
pub(crate) struct WordPiece {
    path: PathBuf,
    tokenizer: Tokenizer,
    context: usize,
}

impl WordPiece {
    /// Parses `json`, the text of a `tokenizer.json`; `path` stands for it in
    /// errors. Whatever cut and padding the file asks for is replaced by a cut
    /// to `context` tokens, the first and the last special token included.
    pub(super) fn new(path: &Path, json: &[u8], context: usize) -> Result<Self> {
        let refused = |source| Error::Tokenizer { path: path.to_owned(), source };
        let mut tokenizer = tokenization::read(json).map_err(refused)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(refused)?;
        Ok(WordPiece { path: path.to_owned(), tokenizer, context })
    }

    /// That every id has a row in a vocabulary of `size` words.
    pub(super) fn fits(&self, size: usize) -> Result<()> {
        let found = self.tokenizer.get_vocab_size(true);
        if found > size {
            let expected = format!("at most {size} words, as config.json says");
            return Err(Error::mismatch(&self.path, "vocabulary", expected, found));
        }
        Ok(())
    }

    /// The sequences of `texts`, on all threads.
    pub(super) fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        let encode = |text: &&str| tokenization::encode(&self.path, &self.tokenizer, text);
        let encodings = texts.par_iter().map(encode).collect::<Result<Vec<_>>>()?;
        let mut tokens = Tokens::new();
        for ids in &encodings {
            match &ids[..] {
                // The cut that sentence-transformers makes: the last id, [SEP], stays.
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
