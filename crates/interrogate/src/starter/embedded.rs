//! The files of the folder `weights/`: their names, and their bytes where they are compiled in.
//!
//! `convert.py` and `shortlist.py` made them; PROVENANCE.md has their sources. The cfg `starter`
//! decides here, and nowhere else, whether they are compiled in.

/// A file of the starter.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    /// Its bytes, if it is compiled in.
    pub(super) embedded: Option<&'static [u8]>,
}

/// A file in the binary, aligned for any tensor, so that it is used without a copy.
#[cfg(starter)]
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

#[cfg(starter)]
macro_rules! embedded {
    ($name:literal) => {{
        static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("../../weights/", $name)));
        Some(&FILE.0)
    }};
}

#[cfg(not(starter))]
macro_rules! embedded {
    ($name:literal) => {
        None
    };
}

macro_rules! file {
    ($name:literal) => {
        File { name: $name, embedded: embedded!($name) }
    };
}

/// The weights of the image classifier.
pub(super) static CLASSIFIER: File = file!("efficientnet-lite0.safetensors");

/// The weights of the sentence encoder.
pub(super) static SENTENCES: File = file!("all-minilm-l6-v2.safetensors");

/// The sentence embeddings of the classes.
pub(super) static CLASSES: File = file!("classes.safetensors");

/// The tokenizer.json of the sentence encoder.
pub(super) static TOKENIZER: File = file!("tokenizer.json");

/// The codes of the flavors, which are no part of the fingerprint: they change no score.
pub(super) static FLAVORS: File = file!("flavors.safetensors");
