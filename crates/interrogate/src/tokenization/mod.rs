//! The `tokenizers` library behind limits, without panics.
//!
//! A tokenizer's file is first validated here: its components ([`rules`]) and the sizes of
//! its lists ([`limited`]). Everything is typed, so reading stops at the first value of
//! another type. The library's own reader needs about a hundred bytes per byte of unexpected
//! content; it panics on a truncated field `decoder` and an invalid `precompiled_charsmap`,
//! and later on every text if a template names an unknown token (tokenizers 0.23.2,
//! models/mod.rs, decoders/mod.rs, normalizers/mod.rs and processors/template.rs). Other
//! panics of the library are caught. The models interpret the files.

mod limited;
mod node;
mod rules;

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenizers::{Error, Tokenizer};

use crate::error::CheckpointError;
use crate::{guard, input, limits};
use limited::{Length, LimitedAddedTokens, LimitedMerges, LimitedVocabulary};
use node::Node;

/// A tokenizer.json. Unknown fields are refused, because the library would read their values
/// without a limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokenizer {
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "truncation")]
    _truncation: Node,
    #[serde(default, rename = "padding")]
    _padding: Node,
    #[serde(default, rename = "added_tokens")]
    _added_tokens: LimitedAddedTokens,
    #[serde(default)]
    normalizer: Node,
    #[serde(default)]
    pre_tokenizer: Node,
    #[serde(default)]
    post_processor: Node,
    #[serde(default)]
    decoder: Node,
    model: RawModel,
}

/// The fields of all kinds of models. Files from before 2021 have no `type`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "fields are named so that others are refused")]
struct RawModel {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: LimitedVocabulary,
    merges: Option<LimitedMerges>,
    dropout: Option<f32>,
    unk_token: Option<Length>,
    unk_id: Option<usize>,
    continuing_subword_prefix: Option<Length>,
    end_of_word_suffix: Option<Length>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    max_input_chars_per_word: Option<usize>,
}

/// The limits on the long lists of a tokenizer.
struct ListLimits {
    tokens: usize,
    merges: usize,
    /// Bytes of all tokens.
    tokens_text: usize,
    /// Bytes of all pieces of a Unigram model.
    pieces_text: usize,
}

impl ListLimits {
    /// Returns the limits for a model with embeddings of `vocabulary` tokens. The weights of a
    /// large vocabulary take more memory than its tokenizer.
    fn of(vocabulary: usize) -> Self {
        let per_token = |each: usize, least: usize| least.max(vocabulary.saturating_mul(each));
        ListLimits {
            tokens: per_token(1, limits::TOKENS),
            merges: per_token(limits::MERGES_PER_TOKEN, limits::MERGES),
            tokens_text: per_token(limits::TOKEN_TEXT, limits::TOKENS_TEXT),
            pieces_text: per_token(limits::TOKEN_TEXT, limits::PIECES_TEXT),
        }
    }
}

/// Reads the tokenizer of a tokenizer.json.
///
/// # Errors
/// An unsupported component, a limit, an error of the library, or a panic of it.
pub(crate) fn read(json: &[u8]) -> Result<Tokenizer, Error> {
    read_for(json, 0)
}

/// Reads the tokenizer like [`read`], for a model whose weights have embeddings of `vocabulary`
/// tokens, which raises the limits on its lists.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn read_for(json: &[u8], vocabulary: usize) -> Result<Tokenizer, Error> {
    let file: RawTokenizer = serde_json::from_slice(json)?;
    rules::NORMALIZER.check(&file.normalizer)?;
    rules::PRE_TOKENIZER.check(&file.pre_tokenizer)?;
    rules::POST_PROCESSOR.check(&file.post_processor)?;
    rules::DECODER.check(&file.decoder)?;
    file.model.check(&ListLimits::of(vocabulary))?;
    guarded(|| Tokenizer::from_bytes(json))
}

impl RawModel {
    /// Checks the kind of model and its limits.
    fn check(&self, lists: &ListLimits) -> Result<(), Error> {
        self.vocab.check(lists)?;
        if let Some(merges) = &self.merges {
            merges.check(lists)?;
        }
        if let Some(kind) = self.kind.as_deref().filter(|kind| !rules::MODELS.contains(kind)) {
            let known = rules::MODELS.join(", ");
            return Err(format!("model: unsupported type {kind}, not one of {known}").into());
        }
        if let Some(dropout) = self.dropout.filter(|&dropout| dropout != 0.0) {
            return Err(format!("model: dropout {dropout} makes tokens random").into());
        }
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix, &self.unk_token];
        if affixes.into_iter().flatten().any(|affix| affix.0 > limits::ADDED_TOKEN) {
            let most = limits::ADDED_TOKEN;
            return Err(format!("model: a prefix or suffix of more than {most} bytes").into());
        }
        // The library searches a word from each of its characters: quadratic time.
        match self.max_input_chars_per_word {
            Some(most) if most > limits::TOKENIZER_PATTERN => {
                Err(format!("model: words of up to {most} characters").into())
            }
            _ => Ok(()),
        }
    }
}

/// Returns the ids of `text`, including those of the special tokens around it. Errors name
/// `path`, the tokenizer's file.
///
/// # Errors
/// [`Mismatch`](crate::Error::Mismatch) for a text of more than [`limits::LINE`] bytes,
/// [`CheckpointError::Tokenizer`] if the library refuses it.
pub(crate) fn encode(path: &Path, tokenizer: &Tokenizer, text: &str) -> crate::Result<Vec<u32>> {
    encode_with(path, tokenizer, text, true)
}

/// Returns the ids of `text` like [`encode`], without the special tokens around it.
///
/// # Errors
/// Those of [`encode`].
pub(crate) fn encode_text(
    path: &Path,
    tokenizer: &Tokenizer,
    text: &str,
) -> crate::Result<Vec<u32>> {
    encode_with(path, tokenizer, text, false)
}

fn encode_with(
    path: &Path,
    tokenizer: &Tokenizer,
    text: &str,
    special: bool,
) -> crate::Result<Vec<u32>> {
    check_length(path, text)?;
    let encoding = guarded(|| tokenizer.encode_fast(text, special));
    Ok(encoding.map_err(tokenizer_error(path))?.get_ids().to_vec())
}

/// Checks the length of a text. The error names `path`, the tokenizer's file.
///
/// # Errors
/// [`Mismatch`](crate::Error::Mismatch) for more than [`limits::LINE`] bytes.
pub(crate) fn check_length(path: &Path, text: &str) -> crate::Result<()> {
    if text.len() <= limits::LINE {
        return Ok(());
    }
    let expected = format!("at most {} bytes", limits::LINE);
    Err(crate::Error::mismatch(path, "text", expected, text.len()))
}

/// Reads the tokens of a vocab.json and their ids.
///
/// # Errors
/// [`Io`](crate::Error::Io), [`Json`](crate::Error::Json) for anything else,
/// [`CheckpointError::Tokenizer`] for more than [`limits::TOKENS`] tokens.
pub(crate) fn vocabulary(path: &Path) -> crate::Result<HashMap<String, u32>> {
    let text = input::read(path, limits::SMALL_FILE)?;
    let json = |source| crate::Error::Json { path: path.to_owned(), source };
    let limited: LimitedVocabulary = serde_json::from_slice(&text).map_err(json)?;
    limited.check(&ListLimits::of(0)).map_err(tokenizer_error(path))?;
    serde_json::from_slice(&text).map_err(json)
}

/// Returns a function that makes an error of the `tokenizers` library an
/// [`CheckpointError::Tokenizer`] of the file at `path`.
pub(crate) fn tokenizer_error(path: &Path) -> impl FnOnce(Error) -> crate::Error {
    let path = path.to_owned();
    move |source| crate::Error::Checkpoint(CheckpointError::Tokenizer { path, source })
}

/// Calls `work`, code of the library, and turns a panic into an error.
///
/// # Errors
/// The errors of `work`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    guard::guarded(|| "the tokenizers library panicked".into(), work)
}

#[cfg(test)]
mod tests;
