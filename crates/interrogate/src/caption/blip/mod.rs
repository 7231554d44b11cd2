//! BLIP, base and large: an image tower and a small decoder that attends to it (Li et al.,
//! arXiv 2201.12086).
//!
//! Owns how the two are joined: `modeling_blip.py` of transformers 5.23,
//! `BlipForConditionalGeneration`.

mod config;
mod head;

use std::path::Path;

use super::decoder_state::DecoderState;
use super::generate::{Decoder, GenerationConfig, Input, Prompt, check, generate};
use super::image_batches::{self, BATCH};
use super::post_norm_decoder::PostNormDecoder;
use super::tokenizer::CaptionTokenizer;
use super::vision::{Layout, Vision};
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::clip::preprocess::Processor;
#[cfg(doc)]
use crate::error::{DeviceError, RowsError};
use crate::nn::{Backend, Loader};
use crate::picture::Preprocess;
use crate::weights::Weights;
use config::Config;

/// A BLIP model.
#[derive(Debug)]
pub(super) struct Blip<B: Backend> {
    backend: B,
    preprocess: Preprocess,
    tokenizer: CaptionTokenizer,
    vision: Vision<B>,
    pub(super) decoder: PostNormDecoder<B>,
    bos: u32,
    /// States per image.
    states: usize,
}

impl<B: Backend> Blip<B> {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Weights, backend: B) -> Result<Self> {
        let Config { vision, text } = Config::open(&folder.join("config.json"))?;
        let preprocess = super::preprocess(folder, Processor::Blip, vision.image_size)?;
        let tokenizer = CaptionTokenizer::open(folder, text.vocab_size)?;
        let (bos, states, width) = (text.bos_token_id, vision.positions(), vision.hidden_size);
        let loader = Loader::new(&weights, &backend);
        let vision = Vision::load(&loader, &vision, Layout::Blip)?;
        let decoder = head::load(&loader, &text, width)?;
        weights.finish(is_ignored)?;
        Ok(Blip { backend, preprocess, tokenizer, vision, decoder, bos, states })
    }

    /// Computes the image tower's states (images * states, width) for `pixels` (images, 3,
    /// height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`], [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    pub(super) fn encode_images(&self, pixels: &[f32]) -> Result<B::Rows> {
        image_batches::encode(
            &self.backend,
            [self.vision.pixels(), BATCH],
            pixels,
            |work, pixels| self.vision.forward(&self.backend, work, pixels),
        )
    }

    /// Starts a batch of `images` images with these states; each caption starts with the tokens
    /// `text`.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(
        &self,
        images: usize,
        image_states: &B::Rows,
        text: &[u32],
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let inputs = text.iter().map(|&token| Input::Token(token)).collect();
        let prompt = Prompt { inputs, ids: text.to_vec(), cached: 0..0 };
        Ok((self.decoder.begin(image_states, self.states)?, vec![prompt; images]))
    }
}

impl<B: Backend> Captioner for Blip<B> {
    fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &GenerationConfig,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        super::check_no_task(options)?;
        let text = self.tokenizer.encode_after(self.bos, &options.prompt)?;
        check(self.decoder.limits(), options, text.len())?;
        let images = image_batches::count(self.vision.pixels(), pixels)?;
        if images == 0 {
            return Ok(Vec::new());
        }
        let (state, prompts) = self.begin(images, &self.encode_images(pixels)?, &text)?;
        let generated = generate(&self.decoder, state, &prompts, options, on_progress)?;
        super::captions(&self.tokenizer, generated)
    }
}

/// Whether a weight may be unused: buffers, and weights tied to the embedding.
fn is_ignored(name: &str) -> bool {
    name.ends_with("position_ids") || name.starts_with("text_decoder.cls.predictions.decoder.")
}
