//! Files that begin like TIFF (little-endian, BigTIFF too): a picture within the limits, or an error.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus { interrogate_fuzz::picture(b"II", bytes) });
