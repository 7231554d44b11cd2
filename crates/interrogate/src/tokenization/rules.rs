//! Which components of a tokenizer's file are let through, and how large what they
//! make may be.
//!
//! The lists are what transformers writes for the models that are read here, by its
//! own tokenizers of version 5 and its converters of version 4: CLIP, BERT (BLIP,
//! MiniLM), T5, GPT-2 (OPT). For another family: add the components that its file
//! has to the lists, and to [`growth`] what makes a text longer. A component that can
//! repeat a text, as a `Replace` with a long content can, must have a bound there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenizers::Error;
use tokenizers::normalizers::Precompiled;

use super::node::Node;
use crate::limits;

/// A field of the file: its components, and the key under which one holds others.
pub(super) struct Field {
    name: &'static str,
    known: &'static [&'static str],
    inner: &'static str,
    /// How many times its length a text may have behind it.
    grows: usize,
}

pub(super) const NORMALIZER: Field = Field {
    name: "normalizer",
    known: &[
        "BertNormalizer", // BERT
        "Lowercase",      // CLIP
        "NFC",            // CLIP
        "Precompiled",    // T5
        "Replace",        // CLIP: \s+ by a space; T5: two spaces and more by one mark
        "Sequence",
        "Strip", // T5
    ],
    inner: "normalizers",
    grows: limits::TOKENIZER_GROWTH,
};

pub(super) const PRE_TOKENIZER: Field = Field {
    name: "pre_tokenizer",
    known: &[
        "BertPreTokenizer",
        "ByteLevel", // CLIP, GPT-2
        "Metaspace", // T5
        "Sequence",
        "Split",           // CLIP
        "Whitespace",      // small tokenizers of whole words, as tests have
        "WhitespaceSplit", // T5
    ],
    inner: "pretokenizers",
    grows: 8,
};

pub(super) const POST_PROCESSOR: Field = Field {
    name: "post_processor",
    known: &[
        "BertProcessing",
        "ByteLevel",         // GPT-2
        "RobertaProcessing", // CLIP
        "Sequence",
        "TemplateProcessing", // BERT, OPT, T5
    ],
    inner: "processors",
    grows: 8,
};

pub(super) const DECODER: Field = Field {
    name: "decoder",
    known: &["ByteLevel", "Metaspace", "Sequence", "WordPiece"],
    inner: "decoders",
    grows: 8,
};

/// The models. `WordLevel` is for small tokenizers, as tests have.
pub(super) const MODELS: &[&str] = &["BPE", "Unigram", "WordLevel", "WordPiece"];

/// Special tokens around a text, and ids that one of them may stand for. There are
/// two of one.
const MAX_PIECES: usize = 8;

impl Field {
    /// Refuses what is not on the list, or too large.
    pub(super) fn check(&self, rule: &Node) -> Result<(), Error> {
        let mut parts = Vec::new();
        self.collect(rule, &mut parts)?;
        let mut grows = 1;
        for part in parts {
            grows *= growth(part).map_err(|said| format!("{}: {said}", self.name))?;
            if grows > self.grows {
                let most = self.grows;
                return Err(format!("{}: a text grows to more than {most} times", self.name).into());
            }
            check_template(part)?;
        }
        Ok(())
    }

    /// The components of `rule` that hold no others.
    fn collect<'n>(&self, rule: &'n Node, parts: &mut Vec<&'n Node>) -> Result<(), Error> {
        if matches!(rule, Node::Plain) {
            return Ok(());
        }
        let Some(kind) = rule.text("type") else {
            return Err(format!("{}: a component without a type", self.name).into());
        };
        if !self.known.contains(&kind) {
            let known = self.known.join(", ");
            return Err(
                format!("{}: unsupported component {kind}, not one of {known}", self.name).into()
            );
        }
        if kind == "Sequence" {
            let inner = rule.get(self.inner).into_iter().flat_map(Node::children);
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

/// How many times its length a text may have behind the component `part`.
fn growth(part: &Node) -> Result<usize, Error> {
    match part.text("type") {
        Some("Replace") => {
            check_pattern(part)?;
            // A pattern may match between any two bytes.
            Ok(1 + part.text("content").unwrap_or_default().len())
        }
        Some("Split") => check_pattern(part).map(|()| 1),
        Some("Precompiled") => longest(part.text("precompiled_charsmap").unwrap_or_default()),
        // A byte of other letters than ASCII's becomes a letter of two.
        Some("ByteLevel") => Ok(2),
        // A space becomes three bytes, and every piece gets one.
        Some("Metaspace") => Ok(4),
        _ => Ok(1),
    }
}

/// Refuses a pattern that is long, or that takes more than one pass over a text.
fn check_pattern(part: &Node) -> Result<(), Error> {
    let pattern = part.get("pattern");
    let texts = ["Regex", "String"].map(|kind| pattern.and_then(|pattern| pattern.text(kind)));
    let most = limits::TOKENIZER_PATTERN;
    if texts.iter().flatten().any(|text| text.len() > most) {
        return Err(format!("a pattern of more than {most} bytes").into());
    }
    match texts[0] {
        // The library's own engine goes back as often as a pattern asks for.
        Some(regex) => match regex::RegexBuilder::new(regex).size_limit(2 << 20).build() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("an unsupported pattern: {error}").into()),
        },
        None => Ok(()),
    }
}

/// The length of the longest text that a table of characters puts in another's place:
/// the size of a tree, the tree, then texts that each end with a zero
/// (spm_precompiled, `parse`).
fn longest(table: &str) -> Result<usize, Error> {
    // Whether it is a table is the library's to say, which fails on some that are none.
    let text = serde_json::json!({ "type": "Precompiled", "precompiled_charsmap": table });
    serde_json::from_value::<Precompiled>(text)?;
    let bytes = STANDARD.decode(table)?;
    let (size, rest) = bytes.split_first_chunk::<4>().ok_or("a table of characters cut off")?;
    let texts = rest.get(u32::from_le_bytes(*size) as usize..);
    let texts = texts.ok_or("a table of characters cut off")?;
    Ok(texts.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or(0).max(1))
}

/// Whether a template for one text, where `part` is one, is made of that text, once,
/// and of a few special tokens that stand beside it.
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
        return Err(format!("post_processor: more than {MAX_PIECES} tokens beside a text").into());
    }
    if pieces.iter().filter(|piece| piece.get("Sequence").is_some()).count() > 1 {
        return Err("post_processor: a template that repeats its text".into());
    }
    let id = |piece: &Node, kind: &str| piece.get(kind)?.text("id").map(str::to_owned);
    for piece in pieces {
        if let Some(id) = id(piece, "SpecialToken")
            && tokens.get(&id).is_none()
        {
            return Err(format!("post_processor: no special token {id:?}").into());
        }
        if let Some(id) = id(piece, "Sequence")
            && id != "A"
        {
            return Err(format!("post_processor: a template for one text, and {id:?}").into());
        }
    }
    Ok(())
}
