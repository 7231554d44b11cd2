//! Decodes damaged UTF-8: with lost bytes, encoded surrogates, or a null of two bytes.
//!
//! The byte rules of `ftfy/fixes.py`, `ftfy/chardata.py` and
//! `ftfy/bad_codecs/utf8_variants.py`.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// `ALTERED_UTF8_RE`: sequences with a space in place of the byte 0xA0.
static ALTERED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    bytes(
        r"[\xc2\xc3\xc5\xce\xd0\xd9][ ]|[\xe2\xe3][ ][\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf][ ]|[\xf0][ ][\x80-\xbf][\x80-\xbf]|[\xf0][\x80-\xbf][ ][\x80-\xbf]|[\xf0][\x80-\xbf][\x80-\xbf][ ]",
    )
});

/// `LOSSY_UTF8_RE`: sequences with 0x1A or `?` in place of lost bytes.
static LOSSY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    bytes(
        r"[\xc2-\xdf][\x1a]|[\xc2-\xc3][?]|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a",
    )
});

fn bytes(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

/// `restore_byte_a0`: restores the byte 0xA0 where a program replaced it by a space.
pub(super) fn restore_byte_a0(text: Vec<u8>) -> Vec<u8> {
    let Some(altered) = ALTERED.as_ref().filter(|altered| altered.is_match(&text)) else {
        return text;
    };
    let text = split_grave_words(&text);
    let restored = |found: &Captures<'_>| -> Vec<u8> {
        found[0].iter().map(|&byte| if byte == b' ' { 0xa0 } else { byte }).collect()
    };
    altered.replace_all(&text, restored).into_owned()
}

/// `A_GRAVE_WORD_RE`: the space after the word "à" is kept, unless "à" begins one of a few
/// Portuguese words.
fn split_grave_words(text: &[u8]) -> Vec<u8> {
    let joined: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        out.push(byte);
        rest = tail;
        if byte == 0xc3
            && let Some(after) = tail.strip_prefix(b" ")
            && !joined.iter().any(|word| after.starts_with(word))
        {
            out.extend([0xa0, b' ']);
            rest = after;
        }
    }
    out
}

/// `replace_lossy_sequences`: replaces sequences with lost bytes by U+FFFD.
pub(super) fn replace_lossy(text: Vec<u8>) -> Vec<u8> {
    let replacement = "\u{fffd}".as_bytes();
    match LOSSY.as_ref().filter(|lossy| lossy.is_match(&text)) {
        Some(lossy) => lossy.replace_all(&text, replacement).into_owned(),
        None => text,
    }
}

/// Decodes UTF-8, or, for bytes with 0xED or 0xC0, the variants that Java and Oracle write;
/// `None` for other bytes.
pub(super) fn decode(text: Vec<u8>) -> Option<String> {
    if text.iter().any(|byte| matches!(byte, 0xed | 0xc0)) {
        decode_variants(&text)
    } else {
        String::from_utf8(text).ok()
    }
}

/// The codec `utf-8-variants`: surrogate pairs of three bytes each, and a null of two bytes.
fn decode_variants(text: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0xed | 0xc0)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(std::str::from_utf8(plain).ok()?);
        let (found, length) = match *special {
            // The codec's expressions end in `$`, which also matches before a final line
            // feed; so the line feed replaces the missing byte.
            [0xc0, 0x80, ..] | [0xc0, b'\n'] => ('\0', 2),
            [
                0xed,
                a @ 0xa0..=0xaf,
                b @ 0x80..=0xbf,
                0xed,
                c @ 0xb0..=0xbf,
                d @ 0x80..=0xbf,
                ..,
            ]
            | [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ b'\n'] => {
                let bits = |byte: u8, mask: u8, at: u32| u32::from(byte & mask) << at;
                let code = bits(a, 15, 16) + bits(b, 63, 10) + bits(c, 15, 6) + bits(d, 63, 0);
                (char::from_u32(code + 0x1_0000)?, 6)
            }
            [a @ 0xed, b, c, ..] => (std::str::from_utf8(&[a, b, c]).ok()?.chars().next()?, 3),
            _ => return None,
        };
        out.push(found);
        rest = special.get(length..)?;
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of ftfy 6.3.1 and its codec.
    #[test]
    fn variants_decode_like_ftfys_codec() {
        for (bytes, expected) in [
            (&b"\xed\xa0\xbd\xed\xb8\x8d!"[..], Some("\u{1f60d}!")),
            (b"a\xc0\x80b", Some("a\0b")),
            (b"\xed\x95\x9c\xea\xb5\xad", Some("\u{d55c}\u{ad6d}")),
            (b"\xed\xa0\xbd", None),
            (b"\xed\xa0\xbdabc", None),
            (b"\xed\x95", None),
            (b"\xc0a", None),
            (b"\xc0", None),
            (b"\xc0\n", Some("\0")),
            (b"\xed\xa0\xbd\xed\xb8\n", Some("\u{1f60a}")),
            (b"\xed\xa0\xbd\xed\xb8\na", None),
            (b"caf\xe9 \xed\x95\x9c", None),
        ] {
            assert_eq!(decode(bytes.to_vec()).as_deref(), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn restore_byte_a0_replaces_spaces() {
        for (bytes, expected) in [
            (&b"voil\xc3 le travail"[..], &b"voil\xc3\xa0 le travail"[..]),
            (b"\xc3 quele", b"\xc3\xa0quele"),
            (b"\xc3  a", b"\xc3\xa0 a"),
            (b"\xe2 \x9c \xc4 ", b"\xe2\xa0\x9c \xc4 "),
        ] {
            assert_eq!(restore_byte_a0(bytes.to_vec()), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn a_lossy_sequence_becomes_one_character() {
        let found = replace_lossy(b"\xe2\x80\x1a \x1a \xc3?".to_vec());
        assert_eq!(String::from_utf8(found).unwrap(), "\u{fffd} \u{fffd} \u{fffd}");
    }
}
