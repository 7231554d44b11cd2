//! Captions: a sentence for a picture, by BLIP or BLIP-2.
//!
//! [`open`] reads a Hugging Face folder and tells by its config.json which
//! model it is; a [`Captioner`] turns pictures into [`Caption`]s as
//! [`Generation`] asks. Owns the models, their weights and the search for a
//! caption; decoding and resizing pictures is for [`crate::picture`], and what
//! a caption is good for, for `prompt`.
//!
//! Every value is f32 while it is computed with; [`Precision`] tells how the
//! weights are kept.

mod blip;
mod blip2;
#[cfg(test)]
mod device_tests;
mod generate;
mod images;
mod memory;
mod state;
#[cfg(test)]
mod tests;
mod tokenizer;
mod vision;

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use generate::{EarlyStopping, Generation, Sampling};

use crate::clip::preprocess::{self, Processor};
use crate::nn::{Backend, Compute, Cpu, Gpu};
use crate::picture::{Picture, Pixels, Preprocess};
use crate::weights::Weights;
use crate::{Device, Error, Precision, Result, input, limits};
use generate::Generated;
use tokenizer::CaptionTokenizer;

/// Short names of captioners that stand on the hub in Hugging Face layout, with
/// their repositories there.
pub const NAMES: [(&str, &str); 4] = [
    ("blip-base", "Salesforce/blip-image-captioning-base"),
    ("blip-large", "Salesforce/blip-image-captioning-large"),
    ("blip2-2.7b", "Salesforce/blip2-opt-2.7b"),
    ("blip2-flan-t5-xl", "Salesforce/blip2-flan-t5-xl"),
];

/// What a captioner says of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// The words that were generated, without the prompt before them, without
    /// special tokens, and without the newline that OPT ends with.
    pub text: String,
    /// The tokens that were generated: no prompt and no padding, the
    /// end-of-sequence token included where there is one.
    pub tokens: Vec<u32>,
    /// With beams, the caption's log-probability divided by its length to the
    /// power of the length penalty; else `None`.
    pub score: Option<f32>,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Images whose caption is finished.
    pub images: usize,
    /// Tokens generated so far, over all images, one a step and image.
    pub tokens: usize,
}

/// Turns pictures into captions.
pub trait Captioner: Send + Sync {
    /// How a picture becomes the pixels that [`caption_pixels`] takes.
    ///
    /// [`caption_pixels`]: Self::caption_pixels
    fn preprocess(&self) -> &Preprocess;

    /// The captions of images given as pixels (images, 3, height, width), in
    /// their order. `watch` is called after each step.
    ///
    /// All images are one batch; an image whose caption is finished leaves it.
    /// A caption does not depend on the images beside it by more than rounding.
    ///
    /// # Errors
    /// [`Error::Generation`] where an option is out of range, [`Error::Dim`]
    /// where `pixels` is no whole number of images, [`Error::Tokenizer`] where
    /// the prompt cannot be tokenized, [`Error::Scores`] where the weights give
    /// no numbers, [`Error::Engine`].
    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &Generation,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>>;

    /// The captions of `pictures`, in their order, as one batch.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption(&self, pictures: &[Picture], options: &Generation) -> Result<Vec<Caption>> {
        self.caption_watched(pictures, options, &mut |_| {})
    }

    /// The same; `watch` is called after each step.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption_watched(
        &self,
        pictures: &[Picture],
        options: &Generation,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        let pixels: Result<Vec<Pixels>> =
            pictures.iter().map(|picture| self.preprocess().prepare(picture)).collect();
        self.caption_prepared(&pixels?.iter().collect::<Vec<_>>(), options, watch)
    }

    /// The same for pictures that [`preprocess`](Self::preprocess) prepared,
    /// ahead and on other threads.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption_prepared(
        &self,
        pixels: &[&Pixels],
        options: &Generation,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        self.caption_pixels(&Pixels::joined(pixels), options, watch)
    }
}

/// Opens the captioner in `folder`: config.json, tokenizer.json,
/// preprocessor_config.json, and the weights as safetensors, in one file or
/// sharded.
///
/// Maps the weights; those of another type than `precision` are converted.
///
/// # Errors
/// [`Error::CaptionModel`] where config.json is of another model,
/// [`Error::MemoryTooSmall`] before anything is loaded, [`Error::ShardMissing`],
/// [`Error::Pickled`], [`Error::Vocabulary`], [`Error::WeightMissing`],
/// [`Error::WeightShape`], [`Error::WeightSurplus`], [`Error::Mismatch`] for a
/// configuration that is not supported, [`Error::Io`], [`Error::Json`],
/// [`Error::Tokenizer`].
pub fn open(folder: &Path, precision: Precision) -> Result<Box<dyn Captioner>> {
    open_within(folder, precision, memory::available())
}

/// The same, to caption on `device`, in f32, f16 or bf16. There what meets a half weight is
/// rounded to halves as well, and sums are the device's.
///
/// # Errors
/// Those of [`open`], and of a [`Device`] that cannot be had; [`Error::DeviceUnserved`] for
/// q8.
pub fn open_on(folder: &Path, precision: Precision, device: Device) -> Result<Box<dyn Captioner>> {
    match (Compute { precision, device, ..Compute::default() }).opened()? {
        None => open(folder, precision),
        // What is free of the processor's memory does not bound a device's.
        Some(device) => load(
            folder,
            model_type(folder)?,
            Weights::open_folder(folder)?,
            Gpu::new(&device, precision),
        ),
    }
}

/// The same with `available` bytes of free memory; `None` skips the check.
fn open_within(
    folder: &Path,
    precision: Precision,
    available: Option<u64>,
) -> Result<Box<dyn Captioner>> {
    let model = model_type(folder)?;
    let weights = Weights::open_folder(folder)?;
    memory::check(folder, memory::needed(&weights, precision), available)?;
    load(folder, model, weights, Cpu::lean(precision))
}

/// The captioner in `folder`, a `model`, over `backend`.
fn load<B: Backend>(
    folder: &Path,
    model: Model,
    weights: Weights,
    backend: B,
) -> Result<Box<dyn Captioner>> {
    match model {
        Model::Blip => Ok(Box::new(blip::Blip::open(folder, weights, backend)?)),
        Model::Blip2 => Ok(Box::new(blip2::Blip2::open(folder, weights, backend)?)),
    }
}

/// A model that captions.
enum Model {
    Blip,
    Blip2,
}

/// What config.json says the model is.
fn model_type(folder: &Path) -> Result<Model> {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default)]
        model_type: String,
    }
    let path = folder.join("config.json");
    match read_json::<Written>(&path)?.model_type.as_str() {
        "blip" => Ok(Model::Blip),
        "blip-2" => Ok(Model::Blip2),
        found => Err(Error::CaptionModel { path, found: found.to_owned() }),
    }
}

/// How a picture becomes what an image tower of `side` by `side` pixels takes.
fn preprocess(folder: &Path, side: usize) -> Result<Preprocess> {
    preprocess::open_for(&preprocess::find(folder)?, Processor::Blip, "size", side)
}

/// The texts of what was generated.
fn captions(tokenizer: &CaptionTokenizer, generated: Vec<Generated>) -> Result<Vec<Caption>> {
    let caption = |Generated { tokens, score }| -> Result<Caption> {
        Ok(Caption { text: tokenizer.decode(&tokens)?, tokens, score })
    };
    generated.into_iter().map(caption).collect()
}

/// The JSON file at `path`.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = input::read(path, limits::CONFIG)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// Refuses a token that the language model does not have.
fn check_token(path: &Path, what: &'static str, token: u32, vocab: usize) -> Result<()> {
    match (token as usize) < vocab {
        true => Ok(()),
        false => Err(Error::mismatch(path, what, format!("below {vocab}"), token)),
    }
}
