//! The fingerprint of a model: a digest of everything that determines its rows.

use std::fmt::Write;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// The number of bytes hashed in one task: large enough to be worth the overhead, small
/// enough that a checkpoint of 600 MB keeps all threads busy.
const CHUNK: usize = 16 << 20;

/// Returns a hex SHA-256 over the files of a model, in the given order, each with the name
/// of its part.
///
/// Each file is cut into chunks of 16 MiB, which are hashed on all threads. The lengths of
/// the name and the file, the name of the part, and the digests of the chunks are hashed
/// together. Moving or renaming a file does not change the fingerprint.
pub(super) fn fingerprint(files: &[(&str, &[u8])]) -> String {
    let mut whole = Sha256::new();
    for (part, bytes) in files {
        // Lengths first, so that no two lists of files hash the same bytes.
        for length in [part.len(), bytes.len()] {
            whole.update((length as u64).to_le_bytes());
        }
        whole.update(part);
        let chunks: Vec<_> = bytes.par_chunks(CHUNK).map(Sha256::digest).collect();
        chunks.iter().for_each(|digest| whole.update(digest));
    }
    let mut hex = String::with_capacity(64);
    for byte in whole.finalize() {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's hashlib: sha256(len("config"), len(b"{}") as u64 LE, "config",
    /// sha256(b"{}").digest()).hexdigest().
    #[test]
    fn golden_value() {
        assert_eq!(
            fingerprint(&[("config", b"{}")]),
            "da9e234a85f09d6e405bee379ffc6affc62b0bc4b8c302ecf0b39b6602765052"
        );
    }

    #[test]
    fn every_byte_name_and_order_matters() {
        let base = fingerprint(&[("a", b"xy"), ("b", b"")]);
        for other in [
            fingerprint(&[("a", b"xz"), ("b", b"")]),
            fingerprint(&[("a", b"x"), ("b", b"y")]),
            fingerprint(&[("b", b""), ("a", b"xy")]),
            fingerprint(&[("ab", b"xy")]),
            fingerprint(&[("a", b"xy")]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn long_files_are_hashed_chunk_by_chunk() {
        let long = vec![7u8; CHUNK + 1];
        let mut other = long.clone();
        other[CHUNK] = 8;
        assert_ne!(fingerprint(&[("w", &long)]), fingerprint(&[("w", &other)]));
    }
}
