//! A cleaned text cut into words and tokens as OpenAI's code and OpenCLIP's do:
//! `SimpleTokenizer` of both (clip/simple_tokenizer.py, src/open_clip/tokenizer.py).
//!
//! Owns the cut and the special tokens that a text may spell. The merges within a word
//! are the `tokenizers` library's.

use std::path::Path;

use regex::{Regex, RegexBuilder};
use tokenizers::models::ModelWrapper;
use tokenizers::{Model, Tokenizer};

use super::cleaning::Cleaning;
use super::legacy;
use crate::{Error, Result};

/// Cuts text as one of the two does.
#[derive(Debug)]
pub(super) struct Words {
    cleaning: Cleaning,
    pattern: Regex,
    /// The special tokens that a text may spell, and their ids.
    specials: [(&'static str, u32); 2],
}

impl Words {
    /// For the model of `tokenizer`, from the file at `path`, whose `start` and
    /// `end` tokens stand around a text; `None` where the tokenizer does all of it
    /// itself.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the model is no byte-level BPE that marks the end of
    /// a word.
    pub(super) fn new(
        cleaning: Cleaning,
        tokenizer: &Tokenizer,
        path: &Path,
        (start, end): (u32, u32),
    ) -> Result<Option<Self>> {
        let names = match cleaning {
            Cleaning::Transformers => return Ok(None),
            Cleaning::OpenAi => [legacy::START, legacy::END],
            Cleaning::OpenClip(_) => ["<start_of_text>", "<end_of_text>"],
        };
        let has_ends = match tokenizer.get_model() {
            ModelWrapper::BPE(model) => model.end_of_word_suffix.as_deref() == Some("</w>"),
            _ => false,
        };
        if !has_ends {
            let expected = "a BPE whose words end in </w>, for text cleaning as OpenAI's";
            return Err(Error::mismatch(path, "model", expected, "another"));
        }
        let expression = format!(
            "{}|{}|'s|'t|'re|'ve|'m|'ll|'d|{}",
            regex::escape(names[0]),
            regex::escape(names[1]),
            r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
        );
        let pattern = RegexBuilder::new(&expression).case_insensitive(true).build();
        let Ok(pattern) = pattern else {
            return Err(Error::mismatch(path, "words", "an expression", expression));
        };
        let specials = [(names[0], start), (names[1], end)];
        Ok(Some(Words { cleaning, pattern, specials }))
    }

    /// The tokens of `text` by `tokenizer`, without those around it.
    ///
    /// # Errors
    /// Those of the `tokenizers` library.
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
                    let letters: String = word.bytes().map(letter).collect();
                    let tokens = tokenizer.get_model().tokenize(&letters)?;
                    ids.extend(tokens.into_iter().map(|token| token.id));
                }
            }
        }
        Ok(ids)
    }
}

/// The letter that stands for a byte in CLIP's vocabulary (`bytes_to_unicode`): printable
/// ones of Latin-1 for themselves, the others from U+0100 on.
fn letter(byte: u8) -> char {
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
    fn every_byte_has_the_letter_of_the_vocabulary() {
        let letters: std::collections::BTreeSet<char> = (0..=255).map(letter).collect();
        assert_eq!(letters.len(), 256);
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert_eq!(letters, alphabet.into_iter().collect());
        assert_eq!([0x00, 0x20, 0x7f, 0xa0, 0xad].map(letter), ['Ā', 'Ġ', 'ġ', 'ł', 'Ń']);
    }
}
