//! CLIP's tokenizer from vocab.json and merges.txt, the files of older checkpoints.

use std::path::Path;

use serde_json::Value;

use super::bpe;
#[cfg(doc)]
use crate::error::CheckpointError;
use crate::{Error, Result, input, limits, tokenization};

/// Builds the tokenizer of the two files.
///
/// # Errors
/// [`Error::Io`], [`Error::Json`]; [`Error::Mismatch`] for a vocabulary without the special
/// tokens and for a line of merges.txt that is not a pair; [`CheckpointError::Tokenizer`] if a merge
/// makes a token that is not in the vocabulary.
pub(super) fn build(vocab_path: &Path, merges_path: &Path) -> Result<tokenizers::Tokenizer> {
    let vocab = tokenization::vocabulary(vocab_path)?;
    let vocab = vocab.into_iter().map(|(token, id)| (token, Value::from(id))).collect();
    bpe::build(vocab_path, Value::Object(vocab), merges(merges_path)?)
}

/// Reads the pairs of merges.txt, best first. A `#version` line is skipped.
fn merges(path: &Path) -> Result<Vec<(String, String)>> {
    let text = input::read_text(path, limits::SMALL_FILE)?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.starts_with("#version") && !line.trim().is_empty());
    let pairs = lines.enumerate().map(|(count, (number, line))| match line.split_once(' ') {
        _ if count == limits::MERGES => {
            Err(Error::mismatch(path, "merges", format!("at most {}", limits::MERGES), "more"))
        }
        Some((a, b)) if !a.is_empty() && !b.is_empty() && !b.contains(' ') => {
            Ok((a.to_owned(), b.to_owned()))
        }
        _ => {
            let found = format!("{line:?} in line {}", number + 1);
            Err(Error::mismatch(path, "merge", "two tokens", found))
        }
    });
    pairs.collect()
}
