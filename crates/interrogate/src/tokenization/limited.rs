//! The long lists of a tokenizer's file, checked without being stored: types, number of
//! entries and bytes. Reading stops at the first entry of another type.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::ListLimits;
use crate::limits;

/// The length of a string in bytes.
pub(super) struct Length(pub(super) usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringVisitor;
        impl Visitor<'_> for StringVisitor {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length(text.len()))
            }
        }
        deserializer.deserialize_str(StringVisitor)
    }
}

/// The size of a vocabulary: tokens with their ids, or pieces with their scores.
#[derive(Default)]
pub(super) struct LimitedVocabulary {
    /// Whether it is a list of pieces, of a Unigram model.
    pub(super) pieces: bool,
    entries: usize,
    bytes: usize,
}

impl LimitedVocabulary {
    fn add(&mut self, token: Length) {
        self.entries += 1;
        self.bytes += token.0; // at most the size of the file
    }

    /// Checks the size.
    ///
    /// # Errors
    /// A vocabulary beyond the limits.
    pub(super) fn check(&self, limits: &ListLimits) -> Result<(), tokenizers::Error> {
        let bytes = if self.pieces { limits.pieces_text } else { limits.tokens_text };
        if self.entries <= limits.tokens && self.bytes <= bytes {
            return Ok(());
        }
        let most = limits.tokens;
        Err(format!("a vocabulary of more than {most} entries or {bytes} bytes").into())
    }
}

impl<'de> Deserialize<'de> for LimitedVocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = LimitedVocabulary;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vocabulary")
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<LimitedVocabulary, A::Error> {
                let mut vocabulary = LimitedVocabulary::default();
                while let Some((token, _)) = map.next_entry::<Length, u32>()? {
                    vocabulary.add(token);
                }
                Ok(vocabulary)
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<LimitedVocabulary, A::Error> {
                let mut vocabulary =
                    LimitedVocabulary { pieces: true, ..LimitedVocabulary::default() };
                while let Some((token, _)) = seq.next_element::<(Length, f64)>()? {
                    vocabulary.add(token);
                }
                Ok(vocabulary)
            }
        }
        deserializer.deserialize_any(EntriesVisitor)
    }
}

/// The size of a list of merges, each `"a b"` or `["a", "b"]`.
#[derive(Default)]
pub(super) struct LimitedMerges {
    merges: usize,
    bytes: usize,
}

impl LimitedMerges {
    /// Checks the size.
    ///
    /// # Errors
    /// A list beyond the limits.
    pub(super) fn check(&self, limits: &ListLimits) -> Result<(), tokenizers::Error> {
        if self.merges <= limits.merges && self.bytes <= 2 * limits.tokens_text {
            return Ok(());
        }
        let most = limits.merges;
        Err(format!("more than {most} merges").into())
    }
}

impl<'de> Deserialize<'de> for LimitedMerges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = LimitedMerges;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LimitedMerges, A::Error> {
                let mut list = LimitedMerges::default();
                while let Some(Merge(length)) = seq.next_element()? {
                    (list.merges, list.bytes) = (list.merges + 1, list.bytes + length);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(ListVisitor)
    }
}

/// The length of a merge in bytes.
struct Merge(usize);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MergeVisitor;
        impl<'de> Visitor<'de> for MergeVisitor {
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
        deserializer.deserialize_any(MergeVisitor)
    }
}

/// Added tokens within the limits.
#[derive(Default)]
pub(super) struct LimitedAddedTokens;

impl<'de> Deserialize<'de> for LimitedAddedTokens {
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
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = LimitedAddedTokens;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of added tokens")
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<LimitedAddedTokens, A::Error> {
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
                Ok(LimitedAddedTokens)
            }
        }
        deserializer.deserialize_seq(ListVisitor)
    }
}
