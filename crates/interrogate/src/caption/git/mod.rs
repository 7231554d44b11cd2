//! GIT: CLIP's image tower, and a decoder that reads the image's states as its first positions
//! (Wang et al., arXiv 2205.14100).
//!
//! The states attend to each other, text to the states and to the text before it:
//! `modeling_git.py` of transformers 5.24, `GitForCausalLM`. `bert` has the decoder.

mod config;

use std::path::Path;

use super::bert;
use super::decoder_state::DecoderState;
use super::generate::{Decoder, GenerationConfig, Input, Prompt, check, generate};
use super::image_batches::{self, BATCH};
use super::post_norm_decoder::{Head, PostNormDecoder};
use super::tokenizer::CaptionTokenizer;
use super::vision::{Layout, Vision};
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::clip::preprocess::Processor;
#[cfg(doc)]
use crate::error::{DeviceError, RowsError};
use crate::nn::{Backend, Epilogue, Loader};
use crate::picture::Preprocess;
use crate::weights::Weights;
pub(super) use config::Config;

/// A GIT model.
#[derive(Debug)]
pub(super) struct Git<B: Backend> {
    backend: B,
    preprocess: Preprocess,
    tokenizer: CaptionTokenizer,
    pub(super) vision: Vision<B>,
    projection: B::Linear,
    projection_norm: B::Norm,
    pub(super) decoder: PostNormDecoder<B>,
    bos: u32,
    /// Rows per image.
    image_rows: usize,
}

impl<B: Backend> Git<B> {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Weights, backend: B) -> Result<Self> {
        let config = Config::open(&folder.join("config.json"))?;
        let Config { vision, text } = &config;
        let preprocess = super::preprocess(folder, Processor::Clip, vision.image_size)?;
        let tokenizer = CaptionTokenizer::open(folder, text.vocab_size)?;
        let loader = Loader::new(&weights, &backend);
        let (width, vocabulary) = (text.hidden_size, [text.vocab_size, text.hidden_size]);
        let decoder = bert::load(&loader, "git", &config.sizes(), config.limits(), |words| {
            if !text.tie_word_embeddings {
                let output = loader.linear("output", vocabulary)?;
                return Ok(Head { transform: None, output });
            }
            loader.weights.check_tied("output.weight", &vocabulary, words)?;
            let bias = loader.values("output.bias", &vocabulary[..1])?;
            let output = loader.backend.linear(words, vocabulary, Some(bias))?;
            Ok(Head { transform: None, output })
        })?;
        let at = |part: usize| format!("git.visual_projection.visual_projection.{part}");
        let git = Git {
            preprocess,
            tokenizer,
            projection: loader.linear(&at(0), [width, vision.hidden_size])?,
            projection_norm: loader.layer_norm(&at(1), width, vision.layer_norm_eps)?,
            image_rows: vision.positions(),
            vision: Vision::load(&loader, vision, Layout::Git)?,
            decoder,
            bos: text.bos_token_id,
            backend: backend.clone(),
        };
        weights.finish(is_ignored)?;
        Ok(git)
    }

    /// Computes the decoder's first rows (images * image rows, width) for `pixels` (images, 3,
    /// height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`], [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    pub(super) fn encode_images(&self, pixels: &[f32]) -> Result<B::Rows> {
        let backend = &self.backend;
        image_batches::encode(backend, [self.vision.pixels(), BATCH], pixels, |work, pixels| {
            let states = self.vision.forward(backend, work, pixels)?;
            let (mut projected, mut normed) = (B::Rows::default(), B::Rows::default());
            backend.apply(&self.projection, &states, Epilogue::none(), &mut projected)?;
            backend.normalize(&self.projection_norm, &projected, &mut normed)?;
            Ok(normed)
        })
    }

    /// Starts a batch of `images` images with these rows; each caption starts with the tokens
    /// `text`.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(
        &self,
        images: usize,
        image_rows: &B::Rows,
        text: &[u32],
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let prompt = |image: usize| Prompt {
            inputs: text.iter().map(|&token| Input::Token(token)).collect(),
            ids: text.to_vec(),
            cached: (image * self.image_rows) as u32..((image + 1) * self.image_rows) as u32,
        };
        let state = self.decoder.begin_with_rows(image_rows, [images, self.image_rows])?;
        Ok((state, (0..images).map(prompt).collect()))
    }
}

impl<B: Backend> Captioner for Git<B> {
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
        check(self.decoder.limits(), options, self.image_rows + text.len())?;
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
    name.ends_with("position_ids") || name == "output.weight"
}
