//! Repairs text that was decoded with the wrong encoding: `fix_encoding` of
//! `ftfy/__init__.py`.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::badness::is_bad;
use super::characters::{
    UTF8_CONTINUATION, UTF8_CONTINUATION_STRICT, UTF8_FIRST_OF_2, UTF8_FIRST_OF_3, UTF8_FIRST_OF_4,
};
use super::charmap::{Charmap, windows_1252};
use super::utf8;
use crate::limits;

/// `fix_encoding`: undoes every level of mojibake.
pub(super) fn fix_encoding(text: String) -> String {
    fix_within(text, limits::CLEANING_ROUNDS)
}

/// Undoes at most `rounds` levels of mojibake.
fn fix_within(mut text: String, rounds: usize) -> String {
    for left in (0..rounds).rev() {
        match step(&text, left) {
            Some(fixed) if fixed != text => text = fixed,
            _ => break,
        }
    }
    text
}

/// Undoes one level of mojibake; `None` if the text has none.
fn step(text: &str, rounds: usize) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    let mut latin_1 = None;
    for map in Charmap::all() {
        let Some(mut bytes) = map.encode(text) else { continue };
        if map.is_latin_1() {
            latin_1 = Some(bytes.clone());
        }
        if !map.is_mac_roman() {
            bytes = utf8::restore_byte_a0(bytes);
        }
        if map.is_sloppy() {
            bytes = utf8::replace_lossy(bytes);
        }
        if let Some(fixed) = utf8::decode(bytes) {
            return Some(fixed);
        }
    }
    fix_embedded(text, rounds)
        .filter(|fixed| fixed != text)
        .or_else(|| latin_1.and_then(|bytes| as_windows_1252(&bytes)).filter(|fixed| fixed != text))
        .or_else(|| Some(fix_c1_controls(text)))
}

/// Decodes bytes as Windows-1252; `None` if one is unassigned.
fn as_windows_1252(bytes: &[u8]) -> Option<String> {
    let assigned = |byte: &u8| !matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    bytes.iter().all(assigned).then(|| bytes.iter().map(|&byte| windows_1252(byte)).collect())
}

/// `fix_c1_controls`: replaces C1 control characters by those of Windows-1252.
pub(super) fn fix_c1_controls(text: &str) -> String {
    let fixed = |c: char| match c {
        '\u{80}'..='\u{9f}' => windows_1252(c as u8),
        _ => c,
    };
    text.chars().map(fixed).collect()
}

/// The character classes of `UTF8_DETECTOR_RE`, which finds UTF-8 sequences that were decoded
/// with a single-byte encoding.
struct Utf8Detector {
    /// The first characters of sequences of two, three and four.
    firsts: [HashSet<char>; 3],
    continuation: HashSet<char>,
    /// Continuations that cannot precede a sequence.
    strict: HashSet<char>,
}

static UTF8_DETECTOR: LazyLock<Utf8Detector> = LazyLock::new(|| Utf8Detector {
    firsts: [UTF8_FIRST_OF_2, UTF8_FIRST_OF_3, UTF8_FIRST_OF_4].map(members),
    continuation: members(UTF8_CONTINUATION),
    strict: members(UTF8_CONTINUATION_STRICT),
});

/// Returns the characters of a class, from its contents.
fn members(class: &str) -> HashSet<char> {
    let mut found = HashSet::new();
    let mut chars = class.chars().peekable();
    while let Some(first) = chars.next() {
        let last = if chars.next_if_eq(&'-').is_some() { chars.next() } else { None };
        found.extend(first..=last.unwrap_or(first));
    }
    found
}

impl Utf8Detector {
    /// Returns the length in bytes of the run of sequences that `text` begins with.
    fn run(&self, text: &str) -> usize {
        let mut end = 0;
        while let Some(length) = self.sequence(&text[end..]) {
            end += length;
        }
        end
    }

    /// Returns the length in bytes of the sequence that `text` begins with. The classes of
    /// first characters are disjoint.
    fn sequence(&self, text: &str) -> Option<usize> {
        let mut chars = text.chars();
        let first = chars.next()?;
        let follow = self.firsts.iter().position(|kind| kind.contains(&first))? + 1;
        for _ in 0..follow {
            chars.next().filter(|c| self.continuation.contains(c))?;
        }
        Some(text.len() - chars.as_str().len())
    }
}

/// `decode_inconsistent_utf8`: repairs each run of sequences on its own; `None` if there is
/// none.
fn fix_embedded(text: &str, rounds: usize) -> Option<String> {
    let mut out = String::new();
    let (mut copied, mut at, mut before) = (0, 0, None);
    while let Some(c) = text[at..].chars().next() {
        let starts = before.is_none_or(|before| !UTF8_DETECTOR.strict.contains(&before));
        let run = if starts { UTF8_DETECTOR.run(&text[at..]) } else { 0 };
        if run == 0 {
            (at, before) = (at + c.len_utf8(), Some(c));
            continue;
        }
        let found = &text[at..at + run];
        out.push_str(&text[copied..at]);
        if found.len() < text.len() && is_bad(found) {
            out.push_str(&fix_within(found.to_owned(), rounds));
        } else {
            out.push_str(found);
        }
        (at, before) = (at + run, found.chars().next_back());
        copied = at;
    }
    (copied > 0).then(|| out + &text[copied..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of ftfy 6.3.1's `fix_encoding`.
    #[test]
    fn mojibake_is_undone() {
        for (text, expected) in [
            ("s\u{c3}\u{b3}", "s\u{f3}"),
            ("\u{e2}\u{20ac}\u{153}like this\u{e2}\u{20ac}\u{fffd}", "\u{201c}like this\u{fffd}"),
            ("voil\u{c3} le travail", "voil\u{e0} le travail"),
            ("\u{c3}\u{83}\u{c2}\u{a9}", "\u{e9}"),
            ("\u{4e00} \u{c3}\u{a9}", "\u{4e00} \u{e9}"),
            ("a\u{85}b", "a\u{2026}b"),
        ] {
            assert_eq!(fix_encoding(text.to_owned()), expected, "{text:?}");
        }
    }
}
