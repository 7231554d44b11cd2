//! BLIP-2: an image tower, a Q-Former, and a large language model that reads
//! what the Q-Former says (Li et al., arXiv 2301.12597).
//!
//! Owns how the parts are joined and what a caption begins from, wherever the
//! parts compute: `modeling_blip_2.py` of transformers 5.23,
//! `Blip2ForConditionalGeneration`.

mod config;
pub(super) mod engine;
mod eyes;
mod opt;
mod qformer;
mod t5;

use std::fmt::Debug;
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::generate::{Decoder, Generation, Input, Prompt, check, generate};
use super::states::States;
use super::words::Words;
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::picture::Preprocess;
use config::{Config, Text};
pub(super) use eyes::Eyes;

/// A BLIP-2 model, its parts wherever they compute.
#[derive(Debug)]
pub(super) struct Blip2<E> {
    preprocess: Preprocess,
    words: Words,
    pub(super) eyes: E,
    language: Box<dyn Language>,
    queries: usize,
    image_token: Option<u32>,
    bos: u32,
}

/// What stands before the language model: image tower, Q-Former, projection.
pub(super) trait See: Debug + Send + Sync {
    /// The images of `pixels` (images, 3, height, width) as the language model
    /// reads them, (images * queries, dim).
    ///
    /// # Errors
    /// [`crate::Error::Dim`], [`crate::Error::Engine`].
    fn see(&self, pixels: &[f32]) -> Result<States>;
}

/// A language model as the rest of BLIP-2 knows it.
pub(super) trait Language: Decoder + Debug + Send {
    /// Positions that a caption begins with, where queries and text are `read`.
    fn first(&self, read: usize) -> usize;

    /// What captions begin from: `inputs` are the queries' rows and the text of
    /// each image, as many for each, and `ids` the tokens that stand for them.
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    fn begin(&self, inputs: Vec<Vec<Input<Vec<f32>>>>, ids: &[u32]) -> Result<Vec<Prompt>>;
}

impl Blip2<Eyes> {
    /// On the processor.
    ///
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Checkpoint) -> Result<Self> {
        let config = Config::open(&folder.join("config.json"))?;
        Self::join(folder, weights, config, |weights, config| {
            let (queries, dim) = (config.num_query_tokens, config.text.dim());
            let eyes = Eyes::load(weights, config.vision, config.qformer, [queries, dim])?;
            let language: Box<dyn Language> = match config.text {
                Text::Opt(opt) => Box::new(opt::Opt::load(weights, opt)?),
                Text::T5(t5) => Box::new(t5::T5::load(weights, t5)?),
            };
            Ok((eyes, language))
        })
    }
}

impl<E: See> Blip2<E> {
    /// The parts that `load` takes of `weights`, which has no others.
    fn join(
        folder: &Path,
        weights: Checkpoint,
        config: Config,
        load: impl FnOnce(&Checkpoint, Config) -> Result<(E, Box<dyn Language>)>,
    ) -> Result<Self> {
        let preprocess = super::prepare::open(folder, config.vision.image_size)?;
        let words = Words::open(folder, config.text.vocab())?;
        let (queries, image_token) = (config.num_query_tokens, config.image_token_index);
        let bos = config.text.bos();
        let (eyes, language) = load(&weights, config)?;
        weights.finish(known)?;
        Ok(Blip2 { preprocess, words, eyes, language, queries, image_token, bos })
    }

    /// The tokens of a prompt.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`], [`crate::Error::Vocabulary`].
    fn text(&self, prompt: &str) -> Result<Vec<u32>> {
        match prompt {
            "" => Ok(vec![self.bos]),
            prompt => self.words.encode(prompt),
        }
    }

    /// What each image's caption begins from: its queries' rows, then the text.
    ///
    /// # Errors
    /// [`crate::Error::Engine`].
    pub(super) fn prompts(&self, seen: &States, text: &[u32]) -> Result<Vec<Prompt>> {
        let inputs = |image: usize| -> Vec<Input<Vec<f32>>> {
            let rows = (0..self.queries).map(|query| seen.row(image * self.queries + query));
            let rows = rows.map(|row| Input::Embedding(row.to_vec()));
            rows.chain(text.iter().map(|&token| Input::Token(token))).collect()
        };
        let placeholders = self.image_token.iter().flat_map(|&token| vec![token; self.queries]);
        let ids: Vec<u32> = placeholders.chain(text.iter().copied()).collect();
        self.language.begin((0..seen.len() / self.queries).map(inputs).collect(), &ids)
    }

    pub(super) fn decoder(&self) -> &dyn Decoder {
        self.language.as_ref()
    }
}

impl<E: See> Captioner for Blip2<E> {
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
        let first = self.language.first(self.queries + text.len());
        check(self.decoder(), options, first)?;
        let prompts = self.prompts(&self.eyes.see(pixels)?, &text)?;
        let generated = generate(self.decoder(), prompts, options, watch)?;
        super::captions(&self.words, generated)
    }
}

/// Weights that checkpoints carry and nobody needs: buffers, what is tied to
/// the embedding, and the Q-Former's table of words, for it reads none here.
fn known(name: &str) -> bool {
    name.ends_with("position_ids")
        || name.starts_with("qformer.embeddings.")
        || matches!(
            name,
            "language_model.lm_head.weight"
                | "language_model.encoder.embed_tokens.weight"
                | "language_model.decoder.embed_tokens.weight"
        )
}
