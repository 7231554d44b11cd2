//! A CLIP tokenizer from vocab.json and merges.txt, as checkpoints had it before
//! tokenizer.json.
//!
//! Owns the pipeline that `CLIPTokenizer` of transformers 5.23
//! (src/transformers/models/clip/tokenization_clip.py) puts around the two.

use std::path::Path;

use serde_json::{Value, json};

use super::tokenizer::refused;
use crate::tokenization::{self, guarded};
use crate::{Error, Result, input, limits};

pub(super) const START: &str = "<|startoftext|>";
pub(super) const END: &str = "<|endoftext|>";

/// CLIP's pieces of a text: special tokens, English endings, runs of letters,
/// single digits, runs of anything else but space.
const PIECES: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The tokenizer of the two files.
///
/// # Errors
/// [`Error::Io`], [`Error::Json`]; [`Error::Mismatch`] for a vocabulary without
/// the special tokens and for a line of merges.txt that is no pair;
/// [`Error::Tokenizer`] where a merge makes a token that the vocabulary lacks.
pub(super) fn build(vocab_path: &Path, merges_path: &Path) -> Result<tokenizers::Tokenizer> {
    let vocab = tokenization::vocabulary(vocab_path)?;
    let vocab = vocab.into_iter().map(|(token, id)| (token, Value::from(id))).collect();
    whole(vocab_path, Value::Object(vocab), merges(merges_path)?)
}

/// The tokenizer of a vocabulary, tokens to ids, and its merges; `path` stands
/// for it in errors.
///
/// # Errors
/// [`Error::Mismatch`] for a vocabulary without the special tokens;
/// [`Error::Tokenizer`] where a merge makes a token that the vocabulary lacks.
pub(super) fn whole(
    path: &Path,
    vocab: Value,
    merges: Vec<(String, String)>,
) -> Result<tokenizers::Tokenizer> {
    let id = |token: &str| {
        let missing = || Error::mismatch(path, "vocabulary", format!("a {token}"), "none");
        vocab.get(token).and_then(Value::as_u64).ok_or_else(missing)
    };
    let (start, end) = (id(START)?, id(END)?);
    let special = |id: u64, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true })
    };
    let file = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special(start, START), special(end, END)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" },
            { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " },
            { "type": "Lowercase" },
        ] },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": PIECES }, "behavior": "Removed",
                "invert": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                "use_regex": true },
        ] },
        "post_processor": { "type": "RobertaProcessing", "sep": [END, end], "cls": [START, start],
            "trim_offsets": false, "add_prefix_space": false },
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": END,
            "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges },
    });
    let built = guarded(|| serde_json::from_value(file).map_err(Into::into));
    built.map_err(refused(path))
}

/// The pairs of merges.txt, best first, behind an optional `#version` line.
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
