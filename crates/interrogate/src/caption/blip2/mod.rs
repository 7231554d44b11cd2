//! BLIP-2: an image tower, a Q-Former, and a large language model that reads the Q-Former's
//! output (Li et al., arXiv 2301.12597).
//!
//! Owns how the parts are joined and the inputs that start a caption: `modeling_blip_2.py` of
//! transformers 5.23, `Blip2ForConditionalGeneration`.

mod config;
mod opt;
mod qformer;
mod t5;

use std::path::Path;

use super::decoder_state::DecoderState;
use super::generate::{Decoder, GenerationConfig, Input, Limits, Prompt, Step, check, generate};
use super::image_batches::{self, BATCH};
use super::tokenizer::CaptionTokenizer;
use super::vision::{Layout, Vision};
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::clip::preprocess::Processor;
#[cfg(doc)]
use crate::error::{CheckpointError, DeviceError, RowsError};
use crate::nn::{Backend, Epilogue, Loader, LogitsRequest, ReducedLogits};
use crate::picture::Preprocess;
use crate::weights::Weights;
pub(super) use config::Config;
use config::TextConfig;
use opt::Opt;
use qformer::QFormer;
use t5::T5;

/// A BLIP-2 model.
#[derive(Debug)]
pub(super) struct Blip2<B: Backend> {
    backend: B,
    preprocess: Preprocess,
    tokenizer: CaptionTokenizer,
    pub(super) vision: Vision<B>,
    pub(super) qformer: QFormer<B>,
    language_projection: B::Linear,
    pub(super) language: Language<B>,
    /// Queries per image.
    queries: usize,
    image_token: Option<u32>,
    bos: u32,
}

/// The language model.
#[derive(Debug)]
pub(super) enum Language<B: Backend> {
    Opt(Box<Opt<B>>),
    T5(Box<T5<B>>),
}

impl<B: Backend> Blip2<B> {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Weights, backend: B) -> Result<Self> {
        let config = Config::open(&folder.join("config.json"))?;
        let preprocess = super::preprocess(folder, Processor::Blip, config.vision.image_size)?;
        let tokenizer = CaptionTokenizer::open(folder, config.text.vocab())?;
        let (queries, image_width) = (config.num_query_tokens, config.vision.hidden_size);
        let projection = [config.text.dim(), config.qformer.hidden_size];
        let (image_token, bos) = (config.image_token_index, config.text.bos());
        let loader = Loader::new(&weights, &backend);
        let vision = Vision::load(&loader, &config.vision, Layout::Blip)?;
        let qformer = QFormer::load(&loader, &config.qformer, queries, image_width)?;
        let language_projection = loader.linear("language_projection", projection)?;
        let language = match config.text {
            TextConfig::Opt(opt) => Language::Opt(Opt::load(&loader, &opt)?.into()),
            TextConfig::T5(t5) => Language::T5(T5::load(&loader, t5)?.into()),
        };
        weights.finish(is_ignored)?;
        Ok(Blip2 {
            backend,
            preprocess,
            tokenizer,
            vision,
            qformer,
            language_projection,
            language,
            queries,
            image_token,
            bos,
        })
    }

    /// Computes the language model's image embeddings (images * queries, width) for `pixels`
    /// (images, 3, height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`], [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    pub(super) fn encode_images(&self, pixels: &[f32]) -> Result<B::Rows> {
        let (backend, size) = (&self.backend, self.vision.pixels());
        image_batches::encode(backend, [size, BATCH], pixels, |work, pixels| {
            let states = self.vision.forward(backend, work, pixels)?;
            self.qformer.forward(backend, work, pixels.len() / size, &states)?;
            let mut projected = B::Rows::default();
            let projection = &self.language_projection;
            backend.apply(projection, &work.rows, Epilogue::none(), &mut projected)?;
            Ok(projected)
        })
    }

    /// Tokenizes a prompt.
    ///
    /// # Errors
    /// [`CheckpointError::Tokenizer`],
    /// [`CheckpointError::Vocabulary`].
    fn text(&self, prompt: &str) -> Result<Vec<u32>> {
        match prompt {
            "" => Ok(vec![self.bos]),
            prompt => self.tokenizer.encode(prompt),
        }
    }

    /// Starts a batch of `images` images: each caption starts with the image's embeddings, then
    /// the tokens `text`.
    ///
    /// # Errors
    /// [`DeviceError::Tensors`].
    pub(super) fn begin(
        &self,
        images: usize,
        embeddings: B::Rows,
        text: &[u32],
    ) -> Result<(DecoderState<B>, Vec<Prompt>)> {
        let inputs = |image: usize| -> Vec<Input> {
            let rows = image * self.queries..(image + 1) * self.queries;
            let rows = rows.map(|row| Input::Image(row as u32));
            rows.chain(text.iter().map(|&token| Input::Token(token))).collect()
        };
        let inputs: Vec<_> = (0..images).map(inputs).collect();
        let embeddings = (embeddings, images * self.queries);
        match &self.language {
            Language::Opt(opt) => {
                let images = self.image_token.iter().flat_map(|&token| vec![token; self.queries]);
                let ids: Vec<u32> = images.chain(text.iter().copied()).collect();
                Ok(opt.begin(embeddings, inputs, &ids))
            }
            Language::T5(t5) => t5.begin(embeddings, &inputs),
        }
    }
}

impl<B: Backend> Decoder for Language<B> {
    type State = DecoderState<B>;

    fn limits(&self) -> &Limits {
        match self {
            Language::Opt(opt) => opt.limits(),
            Language::T5(t5) => t5.limits(),
        }
    }

    fn read(&self, state: &mut DecoderState<B>, step: &Step) -> Result<()> {
        match self {
            Language::Opt(opt) => opt.read(state, step),
            Language::T5(t5) => t5.read(state, step),
        }
    }

    fn reduce_logits(
        &self,
        state: &DecoderState<B>,
        request: &LogitsRequest,
    ) -> Result<Option<ReducedLogits>> {
        match self {
            Language::Opt(opt) => opt.reduce_logits(state, request),
            Language::T5(t5) => t5.reduce_logits(state, request),
        }
    }

    fn logits(&self, state: &mut DecoderState<B>) -> Result<Vec<f32>> {
        match self {
            Language::Opt(opt) => opt.logits(state),
            Language::T5(t5) => t5.logits(state),
        }
    }
}

impl<B: Backend> Captioner for Blip2<B> {
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
        let text = self.text(&options.prompt)?;
        let first = match &self.language {
            Language::Opt(_) => self.queries + text.len(),
            Language::T5(_) => 1, // the encoder reads the image and the prompt
        };
        check(self.language.limits(), options, first)?;
        let images = image_batches::count(self.vision.pixels(), pixels)?;
        if images == 0 {
            return Ok(Vec::new());
        }
        let (state, prompts) = self.begin(images, self.encode_images(pixels)?, &text)?;
        let generated = generate(&self.language, state, &prompts, options, on_progress)?;
        super::captions(&self.tokenizer, generated)
    }
}

/// Whether a weight may be unused: buffers, weights tied to the embedding, and the Q-Former's
/// word embeddings, because it reads no text.
fn is_ignored(name: &str) -> bool {
    name.ends_with("position_ids")
        || name.starts_with("qformer.embeddings.")
        || matches!(
            name,
            "language_model.lm_head.weight"
                | "language_model.encoder.embed_tokens.weight"
                | "language_model.decoder.embed_tokens.weight"
        )
}
