//! SHA-256 digests of files and dictionaries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Displayed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the digest of a dictionary. Each label is preceded by its length in bytes, as
    /// a little-endian `u64`; without it `["ab"]` and `["a", "b"]` would have one digest.
    pub fn of_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Hasher::default();
        for label in labels {
            hasher.update(&(label.len() as u64).to_le_bytes());
            hasher.update(label.as_bytes());
        }
        hasher.finish()
    }

    /// Returns the bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Computes a digest of bytes that are given in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one write, not byte by byte: the name of every shard contains a digest.
        let digit = |four: u8| if four < 10 { b'0' + four } else { b'a' + four - 10 };
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(&hex).unwrap_or_default()) // it is ASCII
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The error for a text that is not a SHA-256 digest.
#[derive(Debug, thiserror::Error)]
#[error("not a sha256 digest: expected 64 hexadecimal digits, found {0:?}")]
pub struct BadDigest(String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(hex: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(hex.chars().take(80).collect());
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(bad);
        let digits: &[u8; 64] = hex.as_bytes().try_into().map_err(|_| bad())?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8; // two digits: at most 255
        }
        Ok(Digest(bytes))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(hex: String) -> Result<Self, BadDigest> {
        hex.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_parses_from_its_display() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse::<Digest>().unwrap(), Digest::of(b"abc"));
    }

    #[test]
    fn hashing_in_pieces_gives_the_same_digest() {
        let mut hasher = Hasher::default();
        for piece in [&b"a"[..], b"", b"bc"] {
            hasher.update(piece);
        }
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn invalid_digests_are_refused() {
        let z = ABC.replace('b', "z");
        for bad in ["", "abc", &ABC[1..], &format!("{ABC}0"), &z, &"é".repeat(32)] {
            let error = bad.parse::<Digest>().unwrap_err().to_string();
            assert!(error.starts_with("not a sha256 digest"), "{error}");
        }
    }

    #[test]
    fn the_digest_depends_on_label_boundaries() {
        let digests =
            [vec!["a,b"], vec!["a", "b"], vec!["ab"], vec!["", "ab"]].map(Digest::of_labels);
        for (i, a) in digests.iter().enumerate() {
            assert!(digests[i + 1..].iter().all(|b| a != b));
        }
    }
}
