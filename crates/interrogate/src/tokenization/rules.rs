//! The allowed components of a tokenizer's file, and limits on the growth of a text.
//!
//! The lists are the components that transformers writes for the supported models, with the
//! tokenizers of version 5 and the converters of version 4: CLIP, BERT (BLIP, MiniLM), T5
//! (SigLIP), Gemma (SigLIP 2), XLM-R (MetaCLIP 2), GPT-2 (OPT). To support another family, add the components of its file to the lists, and
//! those that make a text longer to [`growth`]. A component that can multiply a text, such as
//! a `Replace` with a long content, must have a bound there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokenizers::Error;
use tokenizers::normalizers::Precompiled;

use super::node::Node;
use crate::limits;

/// The rules for a field of the file.
pub(super) struct ComponentRules {
    /// The name of the field.
    name: &'static str,
    /// The allowed types of components.
    allowed: &'static [&'static str],
    /// The key of the components of a `Sequence`.
    sequence_key: &'static str,
    /// The maximum factor by which all components together may lengthen a text.
    max_growth: usize,
}

pub(super) const NORMALIZER: ComponentRules = ComponentRules {
    name: "normalizer",
    allowed: &[
        "BertNormalizer", // BERT
        "Lowercase",      // CLIP
        "NFC",            // CLIP
        "Precompiled",    // T5, XLM-V
        "Replace",        // CLIP: \s+ by a space; T5: two or more spaces by one mark; Gemma
        "Sequence",
        "Strip", // T5
    ],
    sequence_key: "normalizers",
    max_growth: limits::TOKENIZER_GROWTH,
};

pub(super) const PRE_TOKENIZER: ComponentRules = ComponentRules {
    name: "pre_tokenizer",
    allowed: &[
        "BertPreTokenizer",
        "ByteLevel", // CLIP, GPT-2
        "Metaspace", // T5
        "Sequence",
        "Split",           // CLIP
        "Whitespace",      // small tokenizers in tests
        "WhitespaceSplit", // T5
    ],
    sequence_key: "pretokenizers",
    max_growth: 8,
};

pub(super) const POST_PROCESSOR: ComponentRules = ComponentRules {
    name: "post_processor",
    allowed: &[
        "BertProcessing",
        "ByteLevel",         // GPT-2
        "RobertaProcessing", // CLIP
        "Sequence",
        "TemplateProcessing", // BERT, OPT, T5
    ],
    sequence_key: "processors",
    max_growth: 8,
};

pub(super) const DECODER: ComponentRules = ComponentRules {
    name: "decoder",
    allowed: &[
        "ByteFallback", // Gemma
        "ByteLevel",
        "Fuse", // Gemma
        "Metaspace",
        "Replace", // Gemma
        "Sequence",
        "WordPiece",
    ],
    sequence_key: "decoders",
    max_growth: 8,
};

/// The allowed types of models. `WordLevel` is for small tokenizers in tests.
pub(super) const MODELS: &[&str] = &["BPE", "Unigram", "WordLevel", "WordPiece"];

/// The maximum number of pieces of a template, and of ids of a special token. The supported
/// models have three pieces and one id.
const MAX_PIECES: usize = 8;

impl ComponentRules {
    /// Checks the components of a field.
    ///
    /// # Errors
    /// A component that is not allowed, too many components, or too much growth.
    pub(super) fn check(&self, rule: &Node) -> Result<(), Error> {
        let mut parts = Vec::new();
        self.collect(rule, &mut parts)?;
        let mut total = 1;
        for part in parts {
            total *= growth(part).map_err(|error| format!("{}: {error}", self.name))?;
            if total > self.max_growth {
                let most = self.max_growth;
                return Err(
                    format!("{}: a text may grow by more than {most} times", self.name).into()
                );
            }
            check_template(part)?;
        }
        Ok(())
    }

    /// Collects the components of `rule`, those of sequences one by one.
    fn collect<'n>(&self, rule: &'n Node, parts: &mut Vec<&'n Node>) -> Result<(), Error> {
        if matches!(rule, Node::Scalar) {
            return Ok(());
        }
        let Some(kind) = rule.text("type") else {
            return Err(format!("{}: a component without a type", self.name).into());
        };
        if !self.allowed.contains(&kind) {
            let allowed = self.allowed.join(", ");
            return Err(format!(
                "{}: unsupported component {kind}, not one of {allowed}",
                self.name
            )
            .into());
        }
        if kind == "Sequence" {
            let inner = rule.get(self.sequence_key).into_iter().flat_map(Node::children);
            return inner.into_iter().try_for_each(|part| self.collect(part, parts));
        }
        if parts.len() == limits::TOKENIZER_PARTS {
            let most = limits::TOKENIZER_PARTS;
            return Err(format!("{}: more than {most} components", self.name).into());
        }
        parts.push(rule);
        Ok(())
    }
}

/// Returns the maximum factor by which the component `part` lengthens a text.
fn growth(part: &Node) -> Result<usize, Error> {
    match part.text("type") {
        Some("Replace") => {
            check_pattern(part)?;
            // A pattern may match the empty string between any two bytes.
            Ok(1 + part.text("content").unwrap_or_default().len())
        }
        Some("Split") => check_pattern(part).map(|()| 1),
        Some("Precompiled") => longest(part.text("precompiled_charsmap").unwrap_or_default()),
        // A byte beyond ASCII becomes a character of two bytes.
        Some("ByteLevel") => Ok(2),
        // A space becomes a character of three bytes, and every piece gets one.
        Some("Metaspace") => Ok(4),
        _ => Ok(1),
    }
}

/// Checks that a pattern is short and matches in linear time.
fn check_pattern(part: &Node) -> Result<(), Error> {
    let pattern = part.get("pattern");
    let texts = ["Regex", "String"].map(|kind| pattern.and_then(|pattern| pattern.text(kind)));
    let most = limits::TOKENIZER_PATTERN;
    if texts.iter().flatten().any(|text| text.len() > most) {
        return Err(format!("a pattern of more than {most} bytes").into());
    }
    match texts[0] {
        // The library's engine backtracks; patterns of the crate `regex` need no backtracking.
        Some(regex) => match regex::RegexBuilder::new(regex).size_limit(2 << 20).build() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("an unsupported pattern: {error}").into()),
        },
        None => Ok(()),
    }
}

/// Returns the length of the longest replacement in a `precompiled_charsmap`: base64 of the
/// size of a tree, the tree, and the zero-terminated replacements (spm_precompiled, `parse`).
fn longest(table: &str) -> Result<usize, Error> {
    // The library's type returns an error where its reader of the whole file would panic.
    let text = serde_json::json!({ "type": "Precompiled", "precompiled_charsmap": table });
    Precompiled::deserialize(&text)?; // it borrows its string
    let bytes = STANDARD.decode(table)?;
    let (size, rest) = bytes.split_first_chunk::<4>().ok_or("truncated precompiled_charsmap")?;
    let texts = rest.get(u32::from_le_bytes(*size) as usize..);
    let texts = texts.ok_or("truncated precompiled_charsmap")?;
    Ok(texts.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or(0).max(1))
}

/// Checks the template for one text of the component `part`, if it has one: the text once,
/// and a few known special tokens around it.
fn check_template(part: &Node) -> Result<(), Error> {
    let (Some(Node::List(pieces)), Some(tokens @ Node::Object(_))) =
        (part.get("single"), part.get("special_tokens"))
    else {
        return Ok(());
    };
    let pairs = part.get("pair").into_iter().flat_map(Node::children).count();
    let ids =
        tokens.children().flat_map(|token| token.get("ids")).map(|ids| ids.children().count());
    if pieces.len().max(pairs).max(ids.max().unwrap_or(0)) > MAX_PIECES {
        return Err(format!("post_processor: more than {MAX_PIECES} tokens around a text").into());
    }
    if pieces.iter().filter(|piece| piece.get("Sequence").is_some()).count() > 1 {
        return Err("post_processor: a template that repeats its text".into());
    }
    let id = |piece: &Node, kind: &str| piece.get(kind)?.text("id").map(str::to_owned);
    for piece in pieces {
        if let Some(id) = id(piece, "SpecialToken")
            && tokens.get(&id).is_none()
        {
            return Err(format!("post_processor: unknown special token {id:?}").into());
        }
        if let Some(id) = id(piece, "Sequence")
            && id != "A"
        {
            return Err(
                format!("post_processor: sequence {id:?} in a template for one text").into()
            );
        }
    }
    Ok(())
}
