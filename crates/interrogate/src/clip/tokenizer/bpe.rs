//! CLIP's tokenizer from a vocabulary and merges, for checkpoints without a tokenizer.json.
//!
//! Owns the steps that `CLIPTokenizer` of transformers 5.23
//! (src/transformers/models/clip/tokenization_clip.py) puts around the two.

use std::path::Path;

use serde_json::{Value, json};
use tokenizers::models::ModelWrapper;

#[cfg(doc)]
use crate::error::CheckpointError;
use crate::tokenization::{guarded, tokenizer_error};
use crate::{Error, Result};

/// Returns whether the model of `tokenizer` is CLIP's kind: BPE with the end-of-word suffix `</w>`.
pub(super) fn is_clip(tokenizer: &tokenizers::Tokenizer) -> bool {
    match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.end_of_word_suffix.as_deref() == Some("</w>"),
        _ => false,
    }
}

pub(super) const START: &str = "<|startoftext|>";
pub(super) const END: &str = "<|endoftext|>";

/// CLIP's split of a text: special tokens, English contractions, runs of letters, single
/// digits, and runs of other characters except white space.
const PIECES: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Builds the tokenizer of a vocabulary (tokens to ids) and its merges. Errors name `path`.
///
/// # Errors
/// [`Error::Mismatch`] for a vocabulary without the special tokens;
/// [`CheckpointError::Tokenizer`] if a merge makes a token that is not in the vocabulary.
pub(super) fn build(
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
    built.map_err(tokenizer_error(path))
}
