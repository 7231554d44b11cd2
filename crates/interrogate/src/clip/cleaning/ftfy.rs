//! Repairs text: `fix_text` of ftfy 6.3.1 (`ftfy/__init__.py` and `ftfy/fixes.py`) with its
//! defaults.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{html, mojibake, pattern};
use crate::limits;

/// The maximum number of characters of a segment: `max_decode_length`.
const SEGMENT: usize = 1_000_000;

/// `ANSI_RE`: terminal escape sequences. `\d` is that of Python.
static TERMINAL_ESCAPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\x1b\[[\p{Nd};]*[a-zA-Z]"));

/// Repairs the text line by line. HTML character references are decoded up to the first line
/// that contains a `<`.
///
/// One difference from ftfy: a line is repaired at most [`limits::CLEANING_ROUNDS`] times;
/// ftfy repeats until nothing changes.
pub(super) fn fix_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut unescape = true;
    for segment in text.split_inclusive('\n').flat_map(segments) {
        unescape &= !segment.contains('<');
        out.push_str(&fix_segment(segment, unescape));
    }
    out
}

/// Splits a line into segments of [`SEGMENT`] characters.
fn segments(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(SEGMENT).map_or(rest.len(), |(at, _)| at);
        let (segment, tail) = rest.split_at(end);
        rest = tail;
        (!segment.is_empty()).then_some(segment)
    })
}

fn fix_segment(segment: &str, unescape: bool) -> String {
    let mut text = segment.to_owned();
    for _ in 0..limits::CLEANING_ROUNDS {
        let fixed = fix_once(&text, unescape);
        if fixed == text {
            break;
        }
        text = fixed;
    }
    text
}

fn fix_once(text: &str, unescape: bool) -> String {
    let text = if unescape { html::unescape_closed(text) } else { Cow::Borrowed(text) };
    let text = mojibake::fix_encoding(text.into_owned());
    let text = mojibake::fix_c1_controls(&text);
    let mut fixed = String::with_capacity(text.len());
    text.chars().for_each(|c| fix_character(c, &mut fixed));
    let text = fixed.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let text = match &*TERMINAL_ESCAPE {
        Some(escape) => escape.replace_all(&text, "").into_owned(),
        None => text,
    };
    let text = text.replace(is_unwanted, "");
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text,
        _ => text.nfc().collect(),
    }
}

/// Applies `fix_latin_ligatures`, `fix_character_width` and `uncurl_quotes`.
fn fix_character(c: char, out: &mut String) {
    match c {
        '\u{132}' => out.push_str("IJ"),
        '\u{133}' => out.push_str("ij"),
        // ŉ becomes ʼn, and its apostrophe is uncurled.
        '\u{149}' => out.push_str("'n"),
        '\u{1f1}' => out.push_str("DZ"),
        '\u{1f2}' => out.push_str("Dz"),
        '\u{1f3}' => out.push_str("dz"),
        '\u{1c4}' => out.push_str("D\u{17d}"),
        '\u{1c5}' => out.push_str("D\u{17e}"),
        '\u{1c6}' => out.push_str("d\u{17e}"),
        '\u{1c7}' => out.push_str("LJ"),
        '\u{1c8}' => out.push_str("Lj"),
        '\u{1c9}' => out.push_str("lj"),
        '\u{1ca}' => out.push_str("NJ"),
        '\u{1cb}' => out.push_str("Nj"),
        '\u{1cc}' => out.push_str("nj"),
        '\u{fb00}' => out.push_str("ff"),
        '\u{fb01}' => out.push_str("fi"),
        '\u{fb02}' => out.push_str("fl"),
        '\u{fb03}' => out.push_str("ffi"),
        '\u{fb04}' => out.push_str("ffl"),
        '\u{fb05}' => out.push_str("\u{17f}t"),
        '\u{fb06}' => out.push_str("st"),
        '\u{3000}' => out.push(' '),
        '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        _ => out.push(c),
    }
}

/// `CONTROL_CHARS`: control characters without a meaning in text, byte order marks, and
/// interlinear annotation characters.
fn is_unwanted(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ftfy's documentation.
    #[test]
    fn examples_of_ftfys_documentation() {
        for (text, expected) in [
            ("\u{e2}\u{153}\u{201d} No problems", "\u{2714} No problems"),
            ("&macr;\\_(\u{e3}\u{83}\u{84})_/&macr;", "\u{af}\\_(\u{30c4})_/\u{af}"),
            (
                "Broken text&hellip; it&#x2019;s \u{fb02}ubberi\u{fb01}c!",
                "Broken text\u{2026} it's flubberific!",
            ),
            ("\u{ff2c}\u{ff2f}\u{ff35}\u{ff24}\u{3000}\u{ff2e}", "LOUD N"),
            ("\u{1b}[36;44mI'm blue\u{1b}[0m", "I'm blue"),
            ("<b>&amp;", "<b>&amp;"),
            ("&amp;\n<b>&amp;\n&amp;", "&\n<b>&amp;\n&amp;"),
        ] {
            assert_eq!(fix_text(text), expected, "{text:?}");
        }
    }

    /// References nested 1,000 deep.
    #[test]
    fn rounds_are_bounded() {
        let nested = format!("&{}\u{e9}", "amp;".repeat(1000));
        let fixed = fix_text(&nested);
        assert_eq!(fixed.len(), nested.len() - 4 * limits::CLEANING_ROUNDS);
        let shallow = format!("&{}\u{e9}", "amp;".repeat(limits::CLEANING_ROUNDS - 1));
        assert_eq!(fix_text(&shallow), "&\u{e9}");
    }
}
