//! The vocabulary that OpenAI's models and OpenCLIP's share: 49,408 tokens, made
//! of CLIP's merges.
//!
//! Owns `bpe_simple_vocab_16e6.txt.gz`, in the file's own form or as compiled in
//! (weights/PROVENANCE.md), and the order of the tokens that follows from it
//! (openai/CLIP, clip/simple_tokenizer.py).

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use crate::clip::legacy;
use crate::{Error, Result};

/// The name under which openai/CLIP and OpenCLIP ship their merges.
pub(in crate::clip) const FILE: &str = "bpe_simple_vocab_16e6.txt.gz";

/// What the merges that are compiled in are called in errors.
pub(in crate::clip) const EMBEDDED: &str = "embedded clip-merges.txt.gz";

/// Tokens of OpenAI's models.
pub(in crate::clip) const TOKENS: usize = 49_408;

/// The first 48,894 merges of OpenAI's file, all that its models use.
pub(in crate::clip) static MERGES: &[u8] = include_bytes!("../../../weights/clip-merges.txt.gz");

/// Bytes of unpacked merges at most: OpenAI's file has 3.2 million.
const MAX_TEXT: u64 = 16 << 20;

/// The tokenizer of `tokens` tokens: 256 bytes, the same at a word's end, the
/// first merges of the gzip file `packed`, start and end of text. `path` stands
/// for it in errors.
///
/// # Errors
/// [`Error::Io`] where it is no gzip file, [`Error::Mismatch`] where it holds too
/// few merges or more text than such a file does, [`Error::Tokenizer`].
pub(in crate::clip) fn build(
    path: &Path,
    packed: &[u8],
    tokens: usize,
) -> Result<tokenizers::Tokenizer> {
    let mut text = String::new();
    let mut unpacked = GzDecoder::new(packed).take(MAX_TEXT + 1);
    unpacked.read_to_string(&mut text).map_err(Error::io("unpack", path))?;
    if text.len() as u64 > MAX_TEXT {
        return Err(Error::mismatch(path, "text", format!("at most {MAX_TEXT} bytes"), "more"));
    }
    let mut names: Vec<String> = bytes().map(String::from).collect();
    names.extend(bytes().map(|letter| format!("{letter}</w>")));
    let wanted = tokens.saturating_sub(names.len() + 2);
    // The first line tells the version.
    let merges: Vec<(String, String)> = text.lines().skip(1).take(wanted).map_while(pair).collect();
    if merges.len() != wanted {
        let expected = format!("{wanted} for {tokens} tokens");
        return Err(Error::mismatch(path, "merges", expected, merges.len()));
    }
    names.extend(merges.iter().map(|(a, b)| format!("{a}{b}")));
    names.extend([legacy::START, legacy::END].map(str::to_owned));
    let numbered = names.into_iter().zip(0u64..).map(|(name, id)| (name, Value::from(id)));
    legacy::whole(path, Value::Object(numbered.collect::<Map<_, _>>()), merges)
}

fn pair(line: &str) -> Option<(String, String)> {
    let (a, b) = line.trim_end().split_once(' ')?;
    (!a.is_empty() && !b.is_empty() && !b.contains(' ')).then(|| (a.to_owned(), b.to_owned()))
}

/// The letters that stand for bytes, in the order of their tokens: the printable
/// ones of Latin-1 for themselves, then U+0100 and on for the others
/// (simple_tokenizer.py, `bytes_to_unicode`).
fn bytes() -> impl Iterator<Item = char> {
    let printable = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let plain = (0..=255u8).filter(printable).map(char::from);
    plain.chain(('\u{100}'..).take(256 - 188))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_letter_of_its_own() {
        let letters: std::collections::BTreeSet<char> = bytes().collect();
        assert_eq!((bytes().count(), letters.len()), (256, 256));
        assert_eq!((bytes().next(), bytes().last()), (Some('!'), Some('\u{143}')));
    }

    /// Ids by open_clip 3.3's `SimpleTokenizer`, which has OpenAI's file.
    #[test]
    fn the_embedded_merges_give_openais_tokens() {
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
    fn merges_that_are_too_few_or_no_merges_are_refused() {
        let said = |packed: &[u8], tokens| {
            build(Path::new("m.gz"), packed, tokens).unwrap_err().to_string()
        };
        assert_eq!(
            said(MERGES, TOKENS + 1),
            "m.gz: merges: expected 48895 for 49409 tokens, found 48894"
        );
        assert_eq!(said(b"no gzip", TOKENS), "cannot unpack m.gz");
        assert_eq!(said(&MERGES[..1000], TOKENS), "cannot unpack m.gz");
    }
}
