//! The tokenizer of a captioner's language model.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::CheckpointError;
use crate::tokenization::{self, guarded};
use crate::{Error, Result, input, limits};

/// Maximum number of padding rows in a language model's vocabulary.
const PADDING: usize = 256;

/// A language model's tokenizer.
#[derive(Debug)]
pub(super) struct CaptionTokenizer {
    path: std::path::PathBuf,
    tokenizer: Tokenizer,
    vocab: usize,
}

impl CaptionTokenizer {
    /// Reads `tokenizer.json` of `folder` for a language model of `vocab` tokens.
    ///
    /// # Errors
    /// [`Error::Io`], [`CheckpointError::Tokenizer`], [`CheckpointError::Vocabulary`] if it has tokens that the model
    /// lacks, or far fewer tokens than the model.
    pub(super) fn open(folder: &Path, vocab: usize) -> Result<Self> {
        Self::open_with_added(folder, vocab, 0)
    }

    /// Reads `tokenizer.json` like [`open`](Self::open), which may lack `added` more tokens: those
    /// that the reference's code adds.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(super) fn open_with_added(folder: &Path, vocab: usize, added: usize) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let refused =
            |source| Error::Checkpoint(CheckpointError::Tokenizer { path: path.clone(), source });
        let text = input::read(&path, limits::SMALL_FILE)?;
        let mut tokenizer = tokenization::read(&text).map_err(refused)?;
        // The file may specify both, with any length.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(refused)?;
        let highest = tokenizer.get_vocab(true).into_values().max();
        let found = highest.map_or(0, |id| id as usize + 1);
        if found > vocab || found + added + PADDING < vocab {
            return Err(Error::Checkpoint(CheckpointError::Vocabulary {
                path,
                expected: vocab,
                found,
            }));
        }
        Ok(CaptionTokenizer { path, tokenizer, vocab })
    }

    /// Tokenizes `text`, special tokens included.
    ///
    /// # Errors
    /// Those of [`tokenization::encode`]; [`CheckpointError::Vocabulary`] for a special token that the model
    /// lacks: the tokenizer's own vocabulary need not contain it.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let ids = tokenization::encode(&self.path, &self.tokenizer, text)?;
        let found = ids.iter().max().map_or(0, |&id| id as usize + 1);
        if found > self.vocab {
            return Err(Error::Checkpoint(CheckpointError::Vocabulary {
                path: self.path.clone(),
                expected: self.vocab,
                found,
            }));
        }
        Ok(ids)
    }

    /// Tokenizes a prompt for a decoder of BERT's kind: `bos`, then the prompt's tokens. The
    /// tokenizer's [CLS] and [SEP] are removed; [SEP] would end the caption.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub(super) fn encode_after(&self, bos: u32, prompt: &str) -> Result<Vec<u32>> {
        let tokens = match prompt {
            "" => Vec::new(),
            prompt => self.encode(prompt)?,
        };
        let inner = tokens.get(1..tokens.len().saturating_sub(1)).unwrap_or_default();
        Ok([bos].into_iter().chain(inner.iter().copied()).collect())
    }

    /// Decodes `tokens` without special tokens, and without a newline at the end.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`] if decoding fails.
    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String> {
        let mut text = guarded(|| self.tokenizer.decode(tokens, true)).map_err(|source| {
            Error::Checkpoint(CheckpointError::Tokenizer { path: self.path.clone(), source })
        })?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}
