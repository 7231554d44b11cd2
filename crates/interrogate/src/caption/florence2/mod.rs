//! Florence-2, base and large: DaViT, and a BART that reads the image and a question (Xiao et
//! al., arXiv 2311.06242).
//!
//! Owns how the parts are joined and the questions of the tasks: `modeling_florence2.py` and
//! `processing_florence2.py` of transformers 5.24, `Florence2ForConditionalGeneration`.

mod bart;
mod config;
mod davit;
mod davit_config;
mod half_block;
mod names;
mod projector;
mod windows;

use std::path::Path;

use super::decoder_state::DecoderState;
use super::generate::{Decoder, GenerationConfig, Prompt, check, generate};
use super::image_batches;
use super::tokenizer::CaptionTokenizer;
use super::{Caption, CaptionTask, Captioner, EarlyStopping, Progress};
use crate::clip::preprocess::{self, Processor};
use crate::error::CaptionError;
#[cfg(doc)]
use crate::error::{DeviceError, RowsError};
use crate::nn::{Backend, Loader};
use crate::picture::Preprocess;
use crate::weights::Weights;
use crate::{Error, Result, limits, sizes};
use bart::Bart;
pub(super) use config::Config;
use davit::Davit;
use projector::Projector;

/// Maximum number of images per batch of the tower: its first feature map has 36,864 pixels.
const BATCH: usize = 4;

/// Rows of the vocabulary without a token in tokenizer.json. microsoft's processor adds 1,000
/// tokens for coordinates and 24 for tasks when it is loaded.
const ADDED: usize = 1024;

/// A Florence-2 model.
#[derive(Debug)]
pub(super) struct Florence2<B: Backend> {
    backend: B,
    preprocess: Preprocess,
    tokenizer: CaptionTokenizer,
    pub(super) davit: Davit<B>,
    projector: Projector<B>,
    pub(super) language: Bart<B>,
    /// The tokens of each task's question.
    pub(super) questions: [Vec<u32>; 3],
}

/// Returns the question of a task.
fn question(task: CaptionTask) -> &'static str {
    match task {
        CaptionTask::Caption => "What does the image describe?",
        CaptionTask::Detailed => "Describe in detail what is shown in the image.",
        CaptionTask::MoreDetailed => "Describe with a paragraph what is shown in the image.",
    }
}

impl<B: Backend> Florence2<B> {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Weights, backend: B) -> Result<Self> {
        let path = folder.join("config.json");
        let Config { vision, text } = Config::open(&path)?;
        let steps = preprocess::find(folder)?;
        let preprocess = preprocess::open_as(&steps, Processor::Clip)?;
        let (height, width) = preprocess.crop;
        sizes::only(&steps, "size.width", Some(&width), height)?;
        let side = height as usize;
        sizes::within(&steps, "size.height", side, limits::IMAGE_SIDE)?;
        let tokenizer = CaptionTokenizer::open_with_added(folder, text.vocab_size, ADDED)?;
        let views = names::views(&weights);
        let weights = weights.with_views(views)?;
        let loader = Loader::new(&weights, &backend);
        let davit = Davit::load(&loader, &vision, &path, side)?;
        let projector = Projector::load(&loader, &vision, davit.last_side())?;
        let language = Bart::load(&loader, &text)?;
        weights.finish(|_| false)?;
        let tokens = |task| tokenizer.encode(question(task));
        let [caption, detailed, more] = CaptionTask::ALL.map(tokens);
        let questions = [caption?, detailed?, more?];
        let longest = questions.iter().map(Vec::len).max().unwrap_or(0) + projector.rows();
        if longest > text.max_position_embeddings {
            let what = "text_config.max_position_embeddings";
            let found = text.max_position_embeddings;
            return Err(Error::mismatch(&path, what, format!("at least {longest}"), found));
        }
        sizes::scores(
            &path,
            "text_config.encoder_attention_heads",
            text.encoder_attention_heads,
            [longest; 2],
        )?;
        Ok(Florence2 { backend, preprocess, tokenizer, davit, projector, language, questions })
    }

    /// Computes the language model's image embeddings (images * rows, width) for `pixels`
    /// (images, 3, height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`], [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    pub(super) fn encode_images(&self, pixels: &[f32]) -> Result<B::Rows> {
        let (backend, size) = (&self.backend, self.davit.pixels());
        image_batches::encode(backend, [size, BATCH], pixels, |work, pixels| {
            self.davit.forward(backend, work, pixels)?;
            self.projector.forward(backend, work, pixels.len() / size)
        })
    }

    /// Starts a batch of `images` images with these embeddings.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(
        &self,
        images: usize,
        embeddings: B::Rows,
        task: CaptionTask,
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let text = &self.questions[task as usize];
        self.language.begin(embeddings, [images, self.projector.rows()], text)
    }
}

impl<B: Backend> Captioner for Florence2<B> {
    fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    fn defaults(&self) -> GenerationConfig {
        GenerationConfig {
            num_beams: 3,
            max_new_tokens: 128,
            min_new_tokens: 0,
            early_stopping: EarlyStopping::Full,
            no_repeat_ngram_size: 3,
            ..GenerationConfig::default()
        }
    }

    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &GenerationConfig,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        if !options.prompt.is_empty() {
            return Err(Error::Caption(CaptionError::Generation {
                option: "prompt",
                expected: "none, since Florence-2 has tasks instead".to_owned(),
                found: format!("{:?}", options.prompt),
            }));
        }
        let decoder = &self.language.decoder;
        check(decoder.limits(), options, 1)?;
        let images = image_batches::count(self.davit.pixels(), pixels)?;
        if images == 0 {
            return Ok(Vec::new());
        }
        let (state, prompts) = self.begin(images, self.encode_images(pixels)?, options.task)?;
        let generated = generate(decoder, state, &prompts, options, on_progress)?;
        super::captions(&self.tokenizer, generated)
    }
}
