//! Splits a cleaned text into words and tokens like `SimpleTokenizer` of OpenAI
//! (clip/simple_tokenizer.py) and OpenCLIP (src/open_clip/tokenizer.py).
//!
//! Owns the split and the special tokens that a text may spell. The `tokenizers` library
//! applies the merges within a word.

use std::path::Path;

use regex::{Regex, RegexBuilder};
use tokenizers::{Model, Tokenizer};

use super::bpe;
use crate::clip::cleaning::Cleaning;
use crate::{Error, Result};

/// Cleans a text and splits it into words.
#[derive(Debug)]
pub(super) struct WordSplitter {
    cleaning: Cleaning,
    pattern: Regex,
    /// The special tokens that a text may spell, and their ids.
    specials: [(&'static str, u32); 2],
}

impl WordSplitter {
    /// Creates the splitter for `tokenizer`, from the file at `path`, and its `start` and
    /// `end` tokens.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the model is not a BPE with the end-of-word suffix `</w>`.
    pub(super) fn new(
        cleaning: Cleaning,
        tokenizer: &Tokenizer,
        path: &Path,
        (start, end): (u32, u32),
    ) -> Result<Self> {
        let names = match cleaning {
            Cleaning::OpenClip(_) => ["<start_of_text>", "<end_of_text>"],
            _ => [bpe::START, bpe::END],
        };
        if !bpe::is_clip(tokenizer) {
            let expected = "BPE with the suffix </w>, which OpenAI's text cleaning needs";
            return Err(Error::mismatch(path, "model", expected, "another model"));
        }
        let expression = format!(
            "{}|{}|'s|'t|'re|'ve|'m|'ll|'d|{}",
            regex::escape(names[0]),
            regex::escape(names[1]),
            r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
        );
        let pattern = RegexBuilder::new(&expression).case_insensitive(true).build();
        let Ok(pattern) = pattern else {
            return Err(Error::mismatch(path, "words", "a regular expression", expression));
        };
        let specials = [(names[0], start), (names[1], end)];
        Ok(WordSplitter { cleaning, pattern, specials })
    }

    /// Returns the tokens of `text`, without start and end token.
    ///
    /// # Errors
    /// The errors of the `tokenizers` library.
    pub(super) fn tokens(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
    ) -> Result<Vec<u32>, tokenizers::Error> {
        let text = self.cleaning.clean(text);
        let mut ids = Vec::new();
        for word in self.pattern.find_iter(&text).map(|found| found.as_str()) {
            match self.specials.iter().find(|(special, _)| *special == word) {
                Some((_, id)) => ids.push(*id),
                None => {
                    let chars: String = word.bytes().map(byte_char).collect();
                    let tokens = tokenizer.get_model().tokenize(&chars)?;
                    ids.extend(tokens.into_iter().map(|token| token.id));
                }
            }
        }
        Ok(ids)
    }
}

/// Returns the character that encodes a byte in CLIP's vocabulary (`bytes_to_unicode`): the
/// byte itself in Latin-1 if that is printable, otherwise a character from U+0100 on.
fn byte_char(byte: u8) -> char {
    let at = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => return char::from(byte),
        0x00..=0x20 => byte,
        0x7f..=0xa0 => byte - 0x7f + 0x21,
        0xad => 0x43,
    };
    char::from_u32(0x100 + u32::from(at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_char_agrees_with_the_byte_level_alphabet() {
        let chars: std::collections::BTreeSet<char> = (0..=255).map(byte_char).collect();
        assert_eq!(chars.len(), 256);
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert_eq!(chars, alphabet.into_iter().collect());
        assert_eq!([0x00, 0x20, 0x7f, 0xa0, 0xad].map(byte_char), ['Ā', 'Ġ', 'ġ', 'ł', 'Ń']);
    }
}
