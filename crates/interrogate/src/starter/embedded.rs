//! The compiled-in files, and their fingerprint.
//!
//! The files are in the folder `weights/`. `convert.py` made them; PROVENANCE.md has their
//! sources.

use sha2::{Digest, Sha256};

use crate::Result;
use crate::weights::Weights;

/// A file in the binary, aligned for any tensor, so that it is used without a copy.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

macro_rules! embedded {
    ($file:literal) => {{
        static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("../../weights/", $file)));
        &FILE.0
    }};
}

/// The names of the files in errors, in place of a path.
const CLASSIFIER: &str = "embedded efficientnet-lite0.safetensors";
const SENTENCES: &str = "embedded all-minilm-l6-v2.safetensors";
const CLASSES: &str = "embedded classes.safetensors";
pub(super) const TOKENIZER: &str = "embedded tokenizer.json";
pub(super) const FLAVORS: &str = "embedded flavors.safetensors";

/// The checksum and name of each file, in the format of `sha256sum`.
const SUMS: &str = include_str!("../../weights/SHA256SUMS");

/// The steps of the code, as a part of the fingerprint. Change it with anything that changes
/// a feature or an embedding, so that older indexes no longer match.
const RECIPE: &str = "starter 1: shorter side 256, crop 224, (x - 127) / 128, top 10 of 1000, \
                      256 tokens, mean over tokens, less the classes' mean";

/// Returns the weights of the image classifier.
pub(super) fn classifier() -> Result<Weights> {
    Weights::embedded(CLASSIFIER, embedded!("efficientnet-lite0.safetensors"))
}

/// Returns the weights of the sentence encoder.
pub(super) fn sentences() -> Result<Weights> {
    Weights::embedded(SENTENCES, embedded!("all-minilm-l6-v2.safetensors"))
}

/// Returns the sentence embeddings of the classes.
pub(super) fn classes() -> Result<Weights> {
    Weights::embedded(CLASSES, embedded!("classes.safetensors"))
}

/// Returns the tokenizer.json of the sentence encoder.
pub(super) fn tokenizer() -> &'static [u8] {
    embedded!("tokenizer.json")
}

/// Returns the codes of the flavors, which are no part of the fingerprint: they change no score.
pub(super) fn flavors() -> &'static [u8] {
    embedded!("flavors.safetensors")
}

/// Returns a hex SHA-256 over the checksums of the files and the recipe. Reads no weights; a
/// test compares the checksums with the files.
pub(super) fn fingerprint() -> String {
    hex(&Sha256::new().chain_update(SUMS).chain_update(RECIPE).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_match_the_files() {
        let files: [(&str, &[u8]); 5] = [
            ("all-minilm-l6-v2.safetensors", embedded!("all-minilm-l6-v2.safetensors")),
            ("classes.safetensors", embedded!("classes.safetensors")),
            ("classes.txt", include_bytes!("../../weights/classes.txt")),
            ("efficientnet-lite0.safetensors", embedded!("efficientnet-lite0.safetensors")),
            ("tokenizer.json", tokenizer()),
        ];
        let sums: String = files
            .iter()
            .map(|(name, bytes)| format!("{}  {name}\n", hex(&Sha256::digest(bytes))))
            .collect();
        assert_eq!(sums, SUMS);
    }

    #[test]
    fn weights_are_aligned() {
        for bytes in [embedded!("classes.safetensors").as_ptr(), tokenizer().as_ptr()] {
            assert_eq!(bytes.align_offset(64), 0);
        }
    }
}
