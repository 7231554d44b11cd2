//! The starter's text encoder: sentence embeddings minus the mean of the classes.

use super::classes::Classes;
use super::files::Files;
use super::{DIM, embedded};
use crate::Result;
use crate::encoder::{Embeddings, TextEncoder, Tokens};
use crate::nn::Compute;
use crate::sentence::MiniLm;

/// Loads the sentence encoder on `device`, or on the CPU for this library's own kernels.
pub(super) fn sentences_on(
    files: &Files,
    compute: &Compute,
    device: Option<&candle_core::Device>,
) -> Result<MiniLm> {
    let (path, tokenizer) = files.text(&embedded::TOKENIZER)?;
    let weights = files.weights(&embedded::SENTENCES)?;
    MiniLm::without_config(weights, &path, &tokenizer, compute, device)
}

/// Encodes texts to unit rows of 384 values, in the space of
/// [`StarterImage`](super::StarterImage).
#[derive(Debug)]
pub struct StarterText {
    sentences: MiniLm,
    pub(super) classes: Classes,
}

impl StarterText {
    /// Loads the encoder on `device`, or on the CPU for this library's own kernels.
    pub(super) fn open_on(
        files: &Files,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        Ok(StarterText {
            sentences: sentences_on(files, compute, device)?,
            classes: Classes::new(files.weights(&embedded::CLASSES)?, DIM)?,
        })
    }

    /// Returns the sentence encoder, whose embeddings do not have the mean subtracted.
    pub fn sentences(&self) -> &MiniLm {
        &self.sentences
    }
}

impl TextEncoder for StarterText {
    fn dim(&self) -> usize {
        DIM
    }

    fn tokenize(&self, texts: &[&str]) -> Result<Tokens> {
        self.sentences.tokenize(texts)
    }

    fn context_length(&self) -> usize {
        self.sentences.context_length()
    }

    fn embed(&self, tokens: &Tokens) -> Result<Embeddings> {
        self.classes.center(&self.sentences.embed(tokens)?)
    }
}
