//! BLIP-2: an image tower, a Q-Former, and a large language model that reads
//! what the Q-Former says (Li et al., arXiv 2301.12597).
//!
//! Owns how the parts are joined: `modeling_blip_2.py` of transformers 5.23,
//! `Blip2ForConditionalGeneration`.

mod config;
pub(super) mod engine;
mod opt;
mod qformer;
mod t5;

use std::path::Path;

use super::checkpoint::Checkpoint;
use super::generate::{Decoder, Generation, Input, Memory, Prompt, check, generate};
use super::linear::Linear;
use super::states::States;
use super::vision::Vision;
use super::words::Words;
use super::{Caption, Captioner, Progress};
use crate::Result;
use crate::picture::Preprocess;
use config::{Config, Text};

/// A BLIP-2 model.
#[derive(Debug)]
pub(super) struct Blip2 {
    preprocess: Preprocess,
    words: Words,
    vision: Vision,
    qformer: qformer::QFormer,
    language_projection: Linear,
    language: Language,
    queries: usize,
    image_token: Option<u32>,
    bos: u32,
}

#[derive(Debug)]
enum Language {
    Opt(opt::Opt),
    T5 { model: t5::T5, start: u32 },
}

/// What the parts before the language model give for a batch of images.
#[derive(Debug)]
pub(super) struct Seen {
    /// (images * places, dim of the tower).
    #[cfg_attr(not(test), allow(dead_code, reason = "held against transformers in tests"))]
    pub(super) vision: States,
    /// (images * queries, dim of the Q-Former).
    #[cfg_attr(not(test), allow(dead_code, reason = "held against transformers in tests"))]
    pub(super) qformer: States,
    /// (images * queries, dim of the language model).
    pub(super) projected: States,
}

impl Blip2 {
    /// # Errors
    /// Those of [`super::open`].
    pub(super) fn open(folder: &Path, weights: Checkpoint) -> Result<Self> {
        let config = Config::open(&folder.join("config.json"))?;
        let preprocess = super::prepare::open(folder, config.vision.image_size)?;
        let (vocab, dim) = match &config.text {
            Text::Opt(opt) => (opt.vocab_size, opt.hidden_size),
            Text::T5(t5) => (t5.vocab_size, t5.d_model),
        };
        let words = Words::open(folder, vocab)?;
        let (queries, image_token) = (config.num_query_tokens, config.image_token_index);
        let qformer_dim = config.qformer.hidden_size;
        let image_dim = config.vision.hidden_size;
        let vision = Vision::load(&weights, config.vision)?;
        let qformer = qformer::QFormer::load(&weights, config.qformer, queries, image_dim)?;
        let language_projection = weights.linear("language_projection", dim, qformer_dim, true)?;
        let (language, bos) = match config.text {
            Text::Opt(opt) => {
                let bos = opt.bos_token_id;
                (Language::Opt(opt::Opt::load(&weights, opt)?), bos)
            }
            Text::T5(t5) => {
                // Flan-T5 has no such token of its own; its end stands for it.
                let end = t5.eos_token_id.tokens().first().copied().unwrap_or(0);
                let (bos, start) = (t5.bos_token_id.unwrap_or(end), t5.start());
                (Language::T5 { model: t5::T5::load(&weights, t5)?, start }, bos)
            }
        };
        weights.finish(known)?;
        Ok(Blip2 {
            preprocess,
            words,
            vision,
            qformer,
            language_projection,
            language,
            queries,
            image_token,
            bos,
        })
    }

    /// The images of `pixels` (images, 3, height, width) as the language model
    /// reads them.
    ///
    /// # Errors
    /// [`crate::Error::Dim`], [`crate::Error::Engine`].
    pub(super) fn see(&self, pixels: &[f32]) -> Result<Seen> {
        let vision = self.vision.forward(pixels)?;
        let images = vision.len() / self.vision.places();
        let qformer = self.qformer.forward(images, &vision)?;
        let projected = self.language_projection.forward(&qformer)?;
        Ok(Seen { vision, qformer, projected })
    }

    /// What each image's caption begins from: its queries' rows, then the text.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`], [`crate::Error::Engine`].
    pub(super) fn prompts(&self, seen: &States, text: &[u32]) -> Result<Vec<Prompt>> {
        let images = seen.len() / self.queries;
        let inputs = |image: usize| -> Vec<Input<Vec<f32>>> {
            let rows = (0..self.queries).map(|query| seen.row(image * self.queries + query));
            let rows = rows.map(|row| Input::Embedding(row.to_vec()));
            rows.chain(text.iter().map(|&token| Input::Token(token))).collect()
        };
        match &self.language {
            Language::Opt(opt) => {
                let placeholders = self.image_token.iter().flat_map(|&t| vec![t; self.queries]);
                let ids: Vec<u32> = placeholders.chain(text.iter().copied()).collect();
                let prompt = |image| Prompt {
                    inputs: inputs(image),
                    ids: ids.clone(),
                    memory: opt.memory(),
                };
                Ok((0..images).map(prompt).collect())
            }
            Language::T5 { model, start } => {
                let all: Vec<_> = (0..images).flat_map(inputs).collect();
                let memories = model.memories(images, all.iter().map(Input::borrow).collect())?;
                let prompt = |memory: Memory| Prompt {
                    inputs: vec![Input::Token(*start)],
                    ids: vec![*start],
                    memory,
                };
                Ok(memories.into_iter().map(prompt).collect())
            }
        }
    }

    pub(super) fn decoder(&self) -> &dyn Decoder {
        match &self.language {
            Language::Opt(opt) => opt,
            Language::T5 { model, .. } => model,
        }
    }
}

impl Captioner for Blip2 {
    fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &Generation,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        let text = match options.prompt.as_str() {
            "" => vec![self.bos],
            prompt => self.words.encode(prompt)?,
        };
        let longest = match &self.language {
            Language::Opt(_) => self.queries + text.len(),
            Language::T5 { .. } => 1, // the encoder reads the rest
        };
        check(self.decoder(), options, longest)?;
        let seen = self.see(pixels)?;
        let prompts = self.prompts(&seen.projected, &text)?;
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
