//! Encodes text in single-byte encodings, to recover the bytes it was decoded from.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::charmaps::CHARMAPS;

/// A single-byte encoding that is ASCII below 0x80.
pub(super) struct Charmap {
    name: &'static str,
    /// The bytes of the characters beyond ASCII.
    bytes: HashMap<char, u8>,
}

static ALL: LazyLock<Vec<Charmap>> = LazyLock::new(|| {
    let one = |&(name, high): &(&'static str, &str)| {
        let mut bytes: HashMap<char, u8> = high.chars().zip(0x80..=0xff).collect();
        if name.starts_with("sloppy") {
            bytes.insert('\u{fffd}', SUBSTITUTE);
        }
        Charmap { name, bytes }
    };
    CHARMAPS.iter().map(one).collect()
});

/// The byte for U+FFFD in sloppy encodings.
pub(super) const SUBSTITUTE: u8 = 0x1a;

/// The characters of 0x80 to 0x9F in Windows-1252; unassigned bytes are those of Latin-1.
static WINDOWS_1252: LazyLock<Vec<char>> =
    LazyLock::new(|| CHARMAPS[1].1.chars().take(32).collect());

/// Returns the character of a byte in Windows-1252; unassigned bytes are those of Latin-1.
pub(super) fn windows_1252(byte: u8) -> char {
    let high = byte.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::from(at)));
    high.copied().unwrap_or(char::from(byte))
}

impl Charmap {
    /// Returns every encoding, in the order in which they are tried.
    pub(super) fn all() -> impl Iterator<Item = &'static Charmap> {
        ALL.iter()
    }

    /// Returns whether the encoding also maps unassigned bytes and U+FFFD.
    pub(super) fn is_sloppy(&self) -> bool {
        self.name.starts_with("sloppy")
    }

    pub(super) fn is_latin_1(&self) -> bool {
        self.name == "latin-1"
    }

    pub(super) fn is_mac_roman(&self) -> bool {
        self.name == "macroman"
    }

    /// Encodes `text`; `None` if a character has no byte.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.byte(c)).collect()
    }

    fn byte(&self, c: char) -> Option<u8> {
        match u8::try_from(c) {
            Ok(SUBSTITUTE) if self.is_sloppy() => None,
            Ok(byte) if byte.is_ascii() => Some(byte),
            _ => self.bytes.get(&c).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_every_encoding_round_trips() {
        for (map, (name, high)) in Charmap::all().zip(CHARMAPS) {
            assert_eq!(high.chars().count(), 128, "{name}");
            let all: Vec<u8> = (0x80..=0xff).collect();
            assert_eq!(map.encode(high), Some(all), "{name}");
            let substitute = map.encode("\u{fffd}").map(|bytes| bytes[0]);
            assert_eq!(substitute, map.is_sloppy().then_some(SUBSTITUTE), "{name}");
            assert_eq!(map.encode("\u{1a}").is_none(), map.is_sloppy(), "{name}");
        }
        assert!(Charmap::all().all(|map| map.encode("\u{4e00}").is_none()));
    }

    #[test]
    fn windows_1252_maps_every_byte() {
        let found: String = [0x41, 0x80, 0x81, 0x9f, 0xa0, 0xff].map(windows_1252).iter().collect();
        assert_eq!(found, "A\u{20ac}\u{81}\u{178}\u{a0}\u{ff}");
    }
}
