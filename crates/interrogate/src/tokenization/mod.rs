//! The `tokenizers` library, held to limits and to errors.
//!
//! A tokenizer's file is read here first: which components it has ([`rules`]), how
//! long its lists are ([`counted`]), all of it typed, so that a file of any content
//! fails at the first value that is of another type. The library's own reader takes
//! some hundred bytes for each byte of what it does not expect, ends in a panic where
//! the field `decoder` breaks off and where a table of characters is no such table, and
//! every text does where a template names what it does not hold (tokenizers 0.23.2,
//! models/mod.rs, decoders/mod.rs, normalizers/mod.rs and processors/template.rs). What
//! else of it may panic on a file's own rules is caught. What files mean is for the
//! models.

mod counted;
mod node;
mod rules;

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenizers::{Error, Tokenizer};

use crate::{guard, input, limits};
use counted::{Added, Length, Merges, Vocabulary};
use node::Node;

/// The file. Fields that it does not have are refused, for the library would read
/// their values whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "truncation")]
    _truncation: Node,
    #[serde(default, rename = "padding")]
    _padding: Node,
    #[serde(default, rename = "added_tokens")]
    _added_tokens: Added,
    #[serde(default)]
    normalizer: Node,
    #[serde(default)]
    pre_tokenizer: Node,
    #[serde(default)]
    post_processor: Node,
    #[serde(default)]
    decoder: Node,
    model: Model,
}

/// All fields of all models, of which files of before 2021 have no `type`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "fields are named so that others are refused")]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: Vocabulary,
    merges: Option<Merges>,
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

/// The tokenizer of a tokenizer.json.
///
/// # Errors
/// What is refused of it, what the library says of it, or that it failed.
pub(crate) fn read(json: &[u8]) -> Result<Tokenizer, Error> {
    let file: File = serde_json::from_slice(json)?;
    rules::NORMALIZER.check(&file.normalizer)?;
    rules::PRE_TOKENIZER.check(&file.pre_tokenizer)?;
    rules::POST_PROCESSOR.check(&file.post_processor)?;
    rules::DECODER.check(&file.decoder)?;
    file.model.check()?;
    guarded(|| Tokenizer::from_bytes(json))
}

impl Model {
    fn check(&self) -> Result<(), Error> {
        if let Some(kind) = self.kind.as_deref().filter(|kind| !rules::MODELS.contains(kind)) {
            let known = rules::MODELS.join(", ");
            return Err(format!("model: unsupported type {kind}, not one of {known}").into());
        }
        if let Some(dropout) = self.dropout.filter(|&dropout| dropout != 0.0) {
            return Err(format!("model: dropout {dropout} would make tokens by chance").into());
        }
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix, &self.unk_token];
        if affixes.into_iter().flatten().any(|affix| affix.0 > limits::ADDED_TOKEN) {
            let most = limits::ADDED_TOKEN;
            return Err(format!("model: a prefix or suffix of more than {most} bytes").into());
        }
        // A word of so many letters is tried at each of them.
        match self.max_input_chars_per_word {
            Some(most) if most > limits::TOKENIZER_PATTERN => {
                Err(format!("model: words of up to {most} letters").into())
            }
            _ => Ok(()),
        }
    }
}

/// The ids of `text`, those of the special tokens around it included; `path` stands
/// for the tokenizer in errors.
///
/// # Errors
/// [`Mismatch`](crate::Error::Mismatch) for a text of more than [`limits::LINE`],
/// [`Tokenizer`](crate::Error::Tokenizer) where the library refuses it.
pub(crate) fn encode(path: &Path, tokenizer: &Tokenizer, text: &str) -> crate::Result<Vec<u32>> {
    check_length(path, text)?;
    let encoding = guarded(|| tokenizer.encode_fast(text, true));
    let refused = |source| crate::Error::Tokenizer { path: path.to_owned(), source };
    Ok(encoding.map_err(refused)?.get_ids().to_vec())
}

/// Refuses a text of more than [`limits::LINE`] bytes; `path` stands for the tokenizer.
///
/// # Errors
/// [`Mismatch`](crate::Error::Mismatch).
pub(crate) fn check_length(path: &Path, text: &str) -> crate::Result<()> {
    if text.len() <= limits::LINE {
        return Ok(());
    }
    let expected = format!("at most {} bytes", limits::LINE);
    Err(crate::Error::mismatch(path, "text", expected, text.len()))
}

/// The tokens of a vocab.json and their ids.
///
/// # Errors
/// [`Io`](crate::Error::Io), [`Json`](crate::Error::Json) for anything but such, or
/// for more than [`limits::TOKENS`] of them.
pub(crate) fn vocabulary(path: &Path) -> crate::Result<HashMap<String, u32>> {
    let text = input::read(path, limits::SMALL_FILE)?;
    let counted = serde_json::from_slice::<Vocabulary>(&text);
    counted
        .and_then(|_| serde_json::from_slice(&text))
        .map_err(|source| crate::Error::Json { path: path.to_owned(), source })
}

/// Returns a function that makes an error of the `tokenizers` library an
/// [`Error::Tokenizer`](crate::Error::Tokenizer) of the file at `path`.
pub(crate) fn tokenizer_error(path: &Path) -> impl FnOnce(Error) -> crate::Error {
    let path = path.to_owned();
    move |source| crate::Error::Tokenizer { path, source }
}

/// Calls `work`, code of the library, and turns a panic into an error.
///
/// # Errors
/// The errors of `work`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    guard::guarded(|| "the tokenizer's own code failed on it".into(), work)
}

#[cfg(test)]
mod tests;
