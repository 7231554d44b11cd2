//! Parts of a tokenizer's file that may be long, read without being kept: how many
//! there are and how many bytes, each refused at the first that is too many or of
//! another type.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// A string's length in bytes.
pub(super) struct Length(pub(super) usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length(text.len()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A vocabulary: tokens with their ids, or pieces with their scores.
#[derive(Default)]
pub(super) struct Vocabulary {
    /// Whether it is a list of pieces, as a Unigram model has.
    pub(super) pieces: bool,
    entries: usize,
    text: usize,
}

impl Vocabulary {
    fn add<E: serde::de::Error>(&mut self, token: Length) -> Result<(), E> {
        self.entries += 1;
        self.text += token.0; // at most the file's
        let most = if self.pieces { limits::PIECES_TEXT } else { limits::TOKENS_TEXT };
        match self.entries <= limits::TOKENS && self.text <= most {
            true => Ok(()),
            false => Err(E::custom(format_args!(
                "a vocabulary of more than {} entries or {most} bytes",
                limits::TOKENS
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocabulary;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vocabulary")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut found = Vocabulary::default();
                while let Some((token, _)) = map.next_entry::<Length, u32>()? {
                    found.add(token)?;
                }
                Ok(found)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocabulary, A::Error> {
                let mut found = Vocabulary { pieces: true, ..Vocabulary::default() };
                while let Some((token, _)) = seq.next_element::<(Length, f64)>()? {
                    found.add(token)?;
                }
                Ok(found)
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// Merges: each `"a b"` or `["a", "b"]`.
pub(super) struct Merges;

impl<'de> Deserialize<'de> for Merges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Merges;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Merges, A::Error> {
                let (mut count, mut text) = (0, 0);
                while let Some(Merge(length)) = seq.next_element()? {
                    (count, text) = (count + 1, text + length);
                    if count > limits::MERGES || text > 2 * limits::TOKENS_TEXT {
                        let most = limits::MERGES;
                        return Err(A::Error::custom(format_args!("more than {most} merges")));
                    }
                }
                Ok(Merges)
            }
        }
        deserializer.deserialize_seq(All)
    }
}

struct Merge(usize);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Merge;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge of two tokens")
            }
            fn visit_str<E>(self, text: &str) -> Result<Merge, E> {
                Ok(Merge(text.len()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Merge, A::Error> {
                let mut token = || seq.next_element::<Length>();
                match (token()?, token()?, token()?) {
                    (Some(Length(a)), Some(Length(b)), None) => Ok(Merge(a + b)),
                    _ => Err(A::Error::custom("a merge that is not of two tokens")),
                }
            }
        }
        deserializer.deserialize_any(One)
    }
}

/// Tokens that are added to a vocabulary.
#[derive(Default)]
pub(super) struct Added;

impl<'de> Deserialize<'de> for Added {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code, reason = "fields are named so that others are refused")]
        struct Token {
            id: u32,
            content: Length,
            #[serde(default)]
            single_word: bool,
            #[serde(default)]
            lstrip: bool,
            #[serde(default)]
            rstrip: bool,
            #[serde(default)]
            normalized: bool,
            #[serde(default)]
            special: bool,
        }
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Added;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of added tokens")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Added, A::Error> {
                let (tokens, bytes) = (limits::ADDED_TOKENS, limits::ADDED_TOKEN);
                let mut count = 0;
                while let Some(token) = seq.next_element::<Token>()? {
                    count += 1;
                    if count > tokens || token.content.0 > bytes {
                        return Err(A::Error::custom(format_args!(
                            "more than {tokens} added tokens, or one of more than {bytes} bytes"
                        )));
                    }
                }
                Ok(Added)
            }
        }
        deserializer.deserialize_seq(All)
    }
}
