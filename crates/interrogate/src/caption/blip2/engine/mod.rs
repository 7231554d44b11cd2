//! BLIP-2 with OPT in the tensor engine's operations, for its devices.
//!
//! The parts are those of the rooms beside this one, over tensors that stay on the
//! device. Of a step the scores come back, (sequences, vocabulary): which tokens go on
//! is the search's to say, on the host, the same for every device. All images of a
//! batch and all of their beams go through a step together.

mod opt;
mod pool;
mod qformer;
#[cfg(test)]
mod tests;
mod vision;

use std::path::Path;

use candle_core::{Device, Tensor};

use super::super::checkpoint::Checkpoint;
use super::super::generate::{Decoder, Generation, Input, Prompt, check, generate};
use super::super::states::States;
use super::super::words::Words;
use super::super::{Caption, Captioner, Precision, Progress};
use super::config::{Config, Text};
use super::known;
use crate::nn;
use crate::nn::engine::{Dense, Norm};
use crate::picture::Preprocess;
use crate::rank::device::halving;
use crate::{Error, Result};

pub(in crate::caption) use pool::Pool;

/// Images that are looked at together, where memory is for them.
const BATCH: usize = 64;

/// A BLIP-2 model with OPT on a device.
#[derive(Debug)]
pub(in crate::caption) struct Blip2 {
    preprocess: Preprocess,
    words: Words,
    vision: vision::Vision,
    qformer: qformer::QFormer,
    language_projection: Dense,
    opt: opt::Opt,
    queries: usize,
    image_token: Option<u32>,
    bos: u32,
}

/// Where weights go, and in which type.
pub(super) struct Weights<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) precision: nn::Precision,
    pub(super) device: &'a Device,
}

impl Weights<'_> {
    /// The product with `{name}.weight` (outputs, inputs) and, where there is one, its
    /// bias.
    pub(super) fn dense(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Dense> {
        let shape = [outputs, inputs];
        let weight = self.checkpoint.stored(&format!("{name}.weight"), &shape)?;
        let bias = bias.then(|| self.checkpoint.values(&format!("{name}.bias"), &[outputs]));
        self.dense_of(weight.to_f32(), shape, bias.transpose()?)
    }

    pub(super) fn dense_of(
        &self,
        weight: Vec<f32>,
        [outputs, inputs]: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<Dense> {
        let kept = || -> candle_core::Result<Dense> {
            let weight = Tensor::from_vec(weight, (outputs, inputs), &Device::Cpu)?;
            let bias =
                bias.map(|bias| Tensor::from_vec(bias, outputs, &Device::Cpu)).transpose()?;
            Dense::new(&weight, bias.as_ref(), self.precision, self.device)
        };
        kept().map_err(Error::engine("copy a weight to the device"))
    }

    /// The layer norm of `{name}.weight` and `{name}.bias`.
    pub(super) fn norm(&self, name: &str, dim: usize, eps: f64) -> Result<Norm> {
        let weight = self.tensor(&format!("{name}.weight"), &[dim], &[dim])?;
        let bias = self.tensor(&format!("{name}.bias"), &[dim], &[dim])?;
        let norm = Norm::new(&weight, Some(&bias), eps, self.device);
        norm.map_err(Error::engine("copy a weight to the device"))
    }

    /// The weight `name` of `shape` in f32, seen as `seen`.
    pub(super) fn tensor(&self, name: &str, shape: &[usize], seen: &[usize]) -> Result<Tensor> {
        let values = self.checkpoint.values(name, shape)?;
        let tensor = Tensor::from_vec(values, seen, self.device);
        tensor.map_err(Error::engine("copy a weight to the device"))
    }
}

impl Blip2 {
    /// # Errors
    /// Those of [`super::super::open_on`].
    pub(in crate::caption) fn open(
        folder: &Path,
        checkpoint: Checkpoint,
        precision: Precision,
        (device, name): (&Device, crate::Device),
    ) -> Result<Self> {
        let precision = match precision {
            Precision::F32 => nn::Precision::F32,
            Precision::F16 => nn::Precision::F16,
            Precision::Bf16 => nn::Precision::Bf16,
            Precision::Q8 => {
                return Err(Error::DeviceUnserved { what: "q8, eight-bit weights,", device: name });
            }
        };
        let config = Config::open(&folder.join("config.json"))?;
        let Text::Opt(opt) = config.text else {
            return Err(Error::DeviceUnserved { what: "BLIP-2 with Flan-T5", device: name });
        };
        let preprocess = super::super::prepare::open(folder, config.vision.image_size)?;
        let words = Words::open(folder, opt.vocab_size)?;
        let (queries, image_token) = (config.num_query_tokens, config.image_token_index);
        let (qformer_dim, image_dim) = (config.qformer.hidden_size, config.vision.hidden_size);
        let weights = Weights { checkpoint: &checkpoint, precision, device };
        let vision = vision::Vision::load(&weights, config.vision)?;
        let qformer = qformer::QFormer::load(&weights, config.qformer, queries, image_dim)?;
        let (dim, bos) = (opt.hidden_size, opt.bos_token_id);
        let language_projection = weights.dense("language_projection", dim, qformer_dim, true)?;
        let opt = opt::Opt::load(&weights, opt)?;
        checkpoint.finish(known)?;
        Ok(Blip2 {
            preprocess,
            words,
            vision,
            qformer,
            language_projection,
            opt,
            queries,
            image_token,
            bos,
        })
    }

    /// The images of `pixels` (images, 3, height, width) as the language model reads
    /// them: (images * queries, dim).
    fn see(&self, pixels: &[f32]) -> Result<States> {
        let image = self.vision.pixels();
        if !pixels.len().is_multiple_of(image) {
            return Err(Error::Dim { what: "an image", expected: image, found: pixels.len() });
        }
        let seen = halving("looking at images", pixels.len() / image, BATCH, |part| {
            let pixels = &pixels[part.start * image..part.end * image];
            let seen = self.vision.forward(pixels)?;
            let seen = self.qformer.forward(part.len(), &seen)?;
            self.language_projection.forward(&seen)?.flatten_all()?.to_vec1()
        })?;
        Ok(States::new(self.opt.dim(), seen.concat()))
    }

    /// What each image's caption begins from: its queries' rows, then the text.
    fn prompts(&self, seen: &States, text: &[u32]) -> Vec<Prompt> {
        let placeholders = self.image_token.iter().flat_map(|&token| vec![token; self.queries]);
        let ids: Vec<u32> = placeholders.chain(text.iter().copied()).collect();
        let memory = self.opt.memory();
        let prompt = |image: usize| {
            let rows = (0..self.queries).map(|query| seen.row(image * self.queries + query));
            let rows = rows.map(|row| Input::Embedding(row.to_vec()));
            let inputs = rows.chain(text.iter().map(|&token| Input::Token(token))).collect();
            Prompt { inputs, ids: ids.clone(), memory: memory.clone() }
        };
        (0..seen.len() / self.queries).map(prompt).collect()
    }

    fn decoder(&self) -> &dyn Decoder {
        &self.opt
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
        check(self.decoder(), options, self.queries + text.len())?;
        let prompts = self.prompts(&self.see(pixels)?, &text);
        let generated = generate(self.decoder(), prompts, options, watch)?;
        super::super::captions(&self.words, generated)
    }
}
