//! HTML character references, decoded like CPython's `html.unescape` and like ftfy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{charmap, pattern};

/// CPython's copy of the WHATWG table of named references, and after a blank line the
/// additional names of ftfy.
static ENTITIES: &str = include_str!("entities.txt");

/// Maps names to characters. A name includes its semicolon; some have a second form without
/// it.
type Table = HashMap<&'static str, String>;

static HTML5: LazyLock<Table> = LazyLock::new(|| table(0));
static FTFYS_OWN: LazyLock<Table> = LazyLock::new(|| table(1));

/// The length of the longest name without a semicolon.
const LONGEST_BARE: usize = 6;

/// A reference, from CPython's `html/__init__.py`.
static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\x0c <&#;]{1,32};?)"));

/// A reference with a semicolon: `HTML_ENTITY_RE` of `ftfy/chardata.py`.
static CLOSED: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"&#?[0-9A-Za-z]{1,24};"));

fn table(part: usize) -> Table {
    let lines = ENTITIES.split("\n\n").nth(part).unwrap_or_default().lines();
    let text = |codes: &str| -> String {
        let codes = codes.split(' ').filter_map(|code| u32::from_str_radix(code, 16).ok());
        codes.filter_map(char::from_u32).collect()
    };
    lines.filter_map(|line| line.split_once(' ')).map(|(name, codes)| (name, text(codes))).collect()
}

/// `html.unescape` of CPython 3.11. One difference: CPython raises an error for a number of
/// more than 4,300 digits; here it is out of range.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    match &*REFERENCE {
        Some(reference) if text.contains('&') => {
            reference.replace_all(text, |found: &Captures<'_>| replacement(&found[1]))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Returns the text for the reference `&` + `name`.
fn replacement(name: &str) -> String {
    if let Some(number) = name.strip_prefix('#') {
        return numbered(number.trim_end_matches(';'));
    }
    if let Some(text) = HTML5.get(name) {
        return text.clone();
    }
    // The longest known prefix of at least two characters.
    let ends = (2..name.len().min(LONGEST_BARE + 1)).rev();
    for (head, tail) in ends.filter_map(|end| name.split_at_checked(end)) {
        if let Some(text) = HTML5.get(head) {
            return [text.as_str(), tail].concat();
        }
    }
    format!("&{name}")
}

/// Returns the character of a number: decimal, or hexadecimal after an `x`.
fn numbered(number: &str) -> String {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    // A number beyond u32 is out of range.
    let code = code.unwrap_or(u32::MAX);
    let found = match code {
        0 => '\u{fffd}',
        0x0d => '\r',
        0x80..=0x9f => charmap::windows_1252(code as u8),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => return String::new(),
        0xfffe..=0x10_ffff if code & 0xfffe == 0xfffe => return String::new(),
        _ => char::from_u32(code).unwrap_or('\u{fffd}'),
    };
    found.to_string()
}

/// `unescape_html` of `ftfy/fixes.py`: decodes references that end with a semicolon, including
/// upper-case forms of lower-case names.
pub(super) fn unescape_closed(text: &str) -> Cow<'_, str> {
    let replacement = |found: &Captures<'_>| {
        let whole = &found[0];
        let name = &whole[1..];
        let known = HTML5.get(name).or_else(|| FTFYS_OWN.get(name)).cloned();
        let number = || {
            let text = name.starts_with('#').then(|| unescape(whole).into_owned());
            text.filter(|text| !text.contains(';'))
        };
        known.or_else(number).unwrap_or_else(|| whole.to_owned())
    };
    match &*CLOSED {
        Some(closed) if text.contains('&') => closed.replace_all(text, replacement),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete() {
        assert_eq!((HTML5.len(), FTFYS_OWN.len()), (2231, 1376));
        let bare = HTML5.keys().filter(|name| !name.ends_with(';'));
        assert_eq!(bare.clone().map(|name| name.len()).max(), Some(LONGEST_BARE));
        assert_eq!(bare.count(), 106);
        assert!(HTML5.values().chain(FTFYS_OWN.values()).all(|text| !text.is_empty()));
    }

    /// The expected values are those of CPython 3.11.7.
    #[test]
    fn references_decode_like_cpython() {
        for (text, expected) in [
            ("&amp;amp;", "&amp;"),
            ("&notit; &notin; &notin", "\u{ac}it; \u{2209} \u{ac}in"),
            ("&AMP&lt&gt;", "&<>"),
            ("&#8217&#x2019;&#X2019", "\u{2019}\u{2019}\u{2019}"),
            ("&#128;&#129;&#x9f;", "\u{20ac}\u{81}\u{178}"),
            ("&#0;&#1;&#xb;&#13;&#xfffe;&#x1ffff;", "\u{fffd}\r"),
            ("&#xd800;&#x110000;&#99999999999999999999;", "\u{fffd}\u{fffd}\u{fffd}"),
            ("&; &# &#; &#x; &x; & &&", "&; &# &#; &#x; &x; & &&"),
            ("&frac12x &sup1\u{e9}", "\u{bd}x \u{b9}\u{e9}"),
            ("&bne; &fjlig;", "=\u{20e5} fj"),
        ] {
            assert_eq!(unescape(text), expected, "{text:?}");
        }
    }

    #[test]
    fn references_with_a_semicolon_decode_like_ftfy() {
        for (text, expected) in [
            ("P&EACUTE;REZ &nTILDE; &amp &lt;", "P\u{c9}REZ &nTILDE; &amp <"),
            ("BUNDESSTRA&SZLIG;E", "BUNDESSTRASSE"),
            ("&#x3b; &#65x; &#39; &#x110000;", "&#x3b; &#65x; ' \u{fffd}"),
        ] {
            assert_eq!(unescape_closed(text), expected, "{text:?}");
        }
    }
}
