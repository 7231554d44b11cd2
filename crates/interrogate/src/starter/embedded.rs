//! The files that are compiled in, and their fingerprint.
//!
//! Owns the bytes of the folder `weights/`, where `convert.py` made them and
//! PROVENANCE.md says from what.

use sha2::{Digest, Sha256};

use crate::Result;
use crate::weights::Weights;

/// A file within the binary, aligned for any tensor, read where it lies.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

macro_rules! embedded {
    ($file:literal) => {{
        static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("../../weights/", $file)));
        &FILE.0
    }};
}

/// What the weights are called in errors, where a file would have its path.
const CLASSIFIER: &str = "embedded efficientnet-lite0.safetensors";
const SENTENCES: &str = "embedded all-minilm-l6-v2.safetensors";
const CLASSES: &str = "embedded classes.safetensors";
pub(super) const TOKENIZER: &str = "embedded tokenizer.json";

/// `sha256  name` of each file, as `sha256sum -c` reads them.
const SUMS: &str = include_str!("../../weights/SHA256SUMS");

/// What the code adds to the files: change it with anything that changes a
/// feature or an embedding, so that an index of before is not taken for one of
/// now.
const RECIPE: &str = "starter 1: shorter side 256, crop 224, (x - 127) / 128, top 10 of 1000, \
                      256 tokens, mean over tokens, less the classes' mean";

/// The image classifier.
pub(super) fn classifier() -> Result<Weights> {
    Weights::embedded(CLASSIFIER, embedded!("efficientnet-lite0.safetensors"))
}

/// The sentence encoder.
pub(super) fn sentences() -> Result<Weights> {
    Weights::embedded(SENTENCES, embedded!("all-minilm-l6-v2.safetensors"))
}

/// The sentence embeddings of the classes.
pub(super) fn classes() -> Result<Weights> {
    Weights::embedded(CLASSES, embedded!("classes.safetensors"))
}

/// The sentence encoder's tokenizer, JSON.
pub(super) fn tokenizer() -> &'static [u8] {
    embedded!("tokenizer.json")
}

/// SHA-256 over the files' checksums and the recipe, in hex. Reads no weight: a
/// test holds the checksums to the files.
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
    fn the_checksums_are_those_of_the_files() {
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
    fn weights_lie_aligned() {
        for bytes in [embedded!("classes.safetensors").as_ptr(), tokenizer().as_ptr()] {
            assert_eq!(bytes.align_offset(64), 0);
        }
    }
}
