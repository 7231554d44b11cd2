//! The tokenizer that OpenAI's and OpenCLIP's models share: 49,408 tokens, derived from
//! CLIP's merges.
//!
//! Owns `bpe_simple_vocab_16e6.txt.gz`, as a file or compiled in (weights/PROVENANCE.md),
//! and the order of the tokens that follows from it (openai/CLIP,
//! clip/simple_tokenizer.py).

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use super::bpe;
#[cfg(doc)]
use crate::error::CheckpointError;
use crate::{Error, Result};

/// The name of the file of merges in openai/CLIP and OpenCLIP.
pub(in crate::clip) const FILE: &str = "bpe_simple_vocab_16e6.txt.gz";

/// The name of the compiled-in merges in errors.
pub(in crate::clip) const EMBEDDED: &str = "embedded clip-merges.txt.gz";

/// The number of tokens of OpenAI's models.
pub(in crate::clip) const TOKENS: usize = 49_408;

/// The first 48,894 merges of OpenAI's file, all that its models use.
pub(in crate::clip) static MERGES: &[u8] = include_bytes!("../../../weights/clip-merges.txt.gz");

/// The maximum size of the unpacked merges in bytes; OpenAI's file has 3.2 million.
const MAX_TEXT: u64 = 16 << 20;

/// Builds the tokenizer of `tokens` tokens: 256 bytes, 256 bytes at the end of a word, the
/// first merges of `gzip`, start and end of text. Errors name `path`.
///
/// # Errors
/// [`Error::Io`] if `gzip` is not a gzip file, [`Error::Mismatch`] if it has too few merges
/// or too much text, [`CheckpointError::Tokenizer`].
pub(in crate::clip) fn build(
    path: &Path,
    gzip: &[u8],
    tokens: usize,
) -> Result<tokenizers::Tokenizer> {
    let mut text = String::new();
    let mut unpacked = GzDecoder::new(gzip).take(MAX_TEXT + 1);
    unpacked.read_to_string(&mut text).map_err(Error::io("unpack", path))?;
    if text.len() as u64 > MAX_TEXT {
        return Err(Error::mismatch(path, "text", format!("at most {MAX_TEXT} bytes"), "more"));
    }
    let mut names: Vec<String> = byte_chars().map(String::from).collect();
    names.extend(byte_chars().map(|c| format!("{c}</w>")));
    let wanted = tokens.saturating_sub(names.len() + 2);
    // The first line is the version.
    let merges: Vec<(String, String)> = text.lines().skip(1).take(wanted).map_while(pair).collect();
    if merges.len() != wanted {
        let expected = format!("{wanted} for {tokens} tokens");
        return Err(Error::mismatch(path, "merges", expected, merges.len()));
    }
    names.extend(merges.iter().map(|(a, b)| format!("{a}{b}")));
    names.extend([bpe::START, bpe::END].map(str::to_owned));
    let numbered = names.into_iter().zip(0u64..).map(|(name, id)| (name, Value::from(id)));
    bpe::build(path, Value::Object(numbered.collect::<Map<_, _>>()), merges)
}

fn pair(line: &str) -> Option<(String, String)> {
    let (a, b) = line.trim_end().split_once(' ')?;
    (!a.is_empty() && !b.is_empty() && !b.contains(' ')).then(|| (a.to_owned(), b.to_owned()))
}

/// Returns the characters that encode bytes, in the order of their tokens: first those of
/// the printable bytes of Latin-1, then U+0100 and on for the other bytes
/// (simple_tokenizer.py, `bytes_to_unicode`).
fn byte_chars() -> impl Iterator<Item = char> {
    let printable = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let plain = (0..=255u8).filter(printable).map(char::from);
    plain.chain(('\u{100}'..).take(256 - 188))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        let chars: std::collections::BTreeSet<char> = byte_chars().collect();
        assert_eq!((byte_chars().count(), chars.len()), (256, 256));
        assert_eq!((byte_chars().next(), byte_chars().last()), (Some('!'), Some('\u{143}')));
    }

    /// The ids are from `SimpleTokenizer` of open_clip 3.3, which uses OpenAI's file.
    #[test]
    fn the_embedded_merges_produce_openais_tokens() {
        let tokenizer = build(Path::new(EMBEDDED), MERGES, TOKENS).unwrap();
        assert_eq!(tokenizer.get_vocab_size(true), TOKENS);
        for (text, ids) in GOLDEN {
            let found = tokenizer.encode(text, true).unwrap();
            assert_eq!(found.get_ids(), ids, "{text:?}");
        }
    }

    #[rustfmt::skip]
    const GOLDEN: [(&str, &[u32]); 5] = [
        ("a photo of a cat", &[49406, 320, 1125, 539, 320, 2368, 49407]),
        ("Oil on Canvas, highly-detailed 8k",
            &[49406, 2870, 525, 7483, 267, 5302, 268, 12609, 279, 330, 49407]),
        ("don't we've it's", &[49406, 847, 713, 649, 1200, 585, 568, 49407]),
        ("caf\u{e9} na\u{ef}ve \u{65e5}\u{672c}\u{8a9e}",
            &[49406, 15304, 1097, 35689, 563, 39121, 44353, 34002, 508, 49407]),
        ("\u{1f600} !!! #tag", &[49406, 7334, 995, 258, 3640, 49407]),
    ];

    #[test]
    fn too_few_merges_or_an_invalid_file_are_refused() {
        let message =
            |gzip: &[u8], tokens| build(Path::new("m.gz"), gzip, tokens).unwrap_err().to_string();
        assert_eq!(
            message(MERGES, TOKENS + 1),
            "m.gz: merges: expected 48895 for 49409 tokens, found 48894"
        );
        assert_eq!(message(b"no gzip", TOKENS), "cannot unpack m.gz");
        assert_eq!(message(&MERGES[..1000], TOKENS), "cannot unpack m.gz");
    }
}
