//! BLIP, base and large: an image tower and a small decoder that looks at it
//! (Li et al., arXiv 2201.12086).
//!
//! Owns how the two are joined: `modeling_blip.py` of transformers 5.23,
//! `BlipForConditionalGeneration`.

mod config;
mod decoder;

use std::path::Path;

use super::checkpoint::Checkpoint;
use super::generate::{Decoder, Generation, Input, Prompt, check, generate};
use super::states::States;
use super::vision::Vision;
use super::words::Words;
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::picture::Preprocess;
use config::Config;
use decoder::TextDecoder;

/// A BLIP model.
#[derive(Debug)]
pub(super) struct Blip {
    preprocess: Preprocess,
    words: Words,
    vision: Vision,
    decoder: TextDecoder,
    bos: u32,
}

impl Blip {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Checkpoint) -> Result<Self> {
        let Config { vision, text } = Config::open(&folder.join("config.json"))?;
        let preprocess = super::prepare::open(folder, vision.image_size)?;
        let words = Words::open(folder, text.vocab_size)?;
        let (bos, image_dim) = (text.bos_token_id, vision.hidden_size);
        let vision = Vision::load(&weights, vision)?;
        let decoder = TextDecoder::load(&weights, text, image_dim)?;
        weights.finish(known)?;
        Ok(Blip { preprocess, words, vision, decoder, bos })
    }

    /// The images of `pixels` (images, 3, height, width), (images * places, dim).
    ///
    /// # Errors
    /// [`crate::Error::Dim`], [`crate::Error::Engine`].
    pub(super) fn see(&self, pixels: &[f32]) -> Result<States> {
        self.vision.forward(pixels)
    }

    /// What each image's caption begins from: the tokens `text`.
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    pub(super) fn prompts(&self, seen: &States, text: &[u32]) -> Result<Vec<Prompt>> {
        let memories = self.decoder.memories(self.vision.places(), seen)?;
        let prompt = |memory| Prompt {
            inputs: text.iter().map(|&token| Input::Token(token)).collect(),
            ids: text.to_vec(),
            memory,
        };
        Ok(memories.into_iter().map(prompt).collect())
    }

    pub(super) fn decoder(&self) -> &dyn Decoder {
        &self.decoder
    }

    /// The tokens of a prompt: the tokenizer's first, [CLS], gives its place to
    /// the token that captions begin with, and its last, [SEP], which would end
    /// the caption, goes.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`].
    fn text(&self, prompt: &str) -> Result<Vec<u32>> {
        let tokens = match prompt {
            "" => Vec::new(),
            prompt => self.words.encode(prompt)?,
        };
        let inner = tokens.get(1..tokens.len().saturating_sub(1)).unwrap_or_default();
        Ok([self.bos].into_iter().chain(inner.iter().copied()).collect())
    }
}

impl Captioner for Blip {
    fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &Generation,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        let text = self.text(&options.prompt)?;
        check(self.decoder(), options, text.len())?;
        let prompts = self.prompts(&self.see(pixels)?, &text)?;
        let generated = generate(self.decoder(), prompts, options, watch)?;
        super::captions(&self.words, generated)
    }
}

/// Weights that checkpoints carry and nobody needs: buffers, and what is tied
/// to the embedding.
fn known(name: &str) -> bool {
    name.ends_with("position_ids") || name.starts_with("text_decoder.cls.predictions.decoder.")
}
