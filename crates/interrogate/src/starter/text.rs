//! The starter's text side: sentence embeddings seen from the classes' mean.

use std::path::Path;

use super::classes::Classes;
use super::{DIM, embedded};
use crate::Result;
use crate::encoder::{Embeddings, TextEncoder, Tokens};
use crate::nn::Compute;
use crate::sentence::MiniLm;

/// The sentence encoder that is compiled in, all-MiniLM-L6-v2 with its weights in
/// f16, to be run as `compute` says.
///
/// # Errors
/// Those of [`Device::check`](crate::Device::check); none else, while the embedded files
/// are what they were built with.
pub fn sentences(compute: &Compute) -> Result<MiniLm> {
    sentences_on(compute, compute.opened()?.as_ref())
}

/// The same on `device`, or by this library's own kernels.
fn sentences_on(compute: &Compute, device: Option<&candle_core::Device>) -> Result<MiniLm> {
    let (path, tokenizer) = (Path::new(embedded::TOKENIZER), embedded::tokenizer());
    MiniLm::embedded(embedded::sentences()?, path, tokenizer, compute, device)
}

/// Turns texts into unit rows of 384 values beside
/// [`StarterImage`](super::StarterImage)'s.
#[derive(Debug)]
pub struct StarterText {
    sentences: MiniLm,
    pub(super) classes: Classes,
}

impl StarterText {
    /// On `device`, or by this library's own kernels.
    pub(super) fn open_on(compute: &Compute, device: Option<&candle_core::Device>) -> Result<Self> {
        Ok(StarterText {
            sentences: sentences_on(compute, device)?,
            classes: Classes::new(embedded::classes()?, DIM)?,
        })
    }

    /// The sentence encoder below, whose rows are not centred.
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
        self.classes.centred(&self.sentences.embed(tokens)?)
    }
}
