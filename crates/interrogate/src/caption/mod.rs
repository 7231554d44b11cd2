//! Captions images with BLIP, BLIP-2, GIT or Florence-2.
//!
//! [`open`] opens a model in a Hugging Face folder; a [`Captioner`] turns images into
//! [`Caption`]s with the options of a [`GenerationConfig`]. Owns the models, their weights and the
//! search for a caption. [`crate::picture`] decodes and resizes images; `prompt` uses captions.
//!
//! Values are f32 in computations; [`Precision`] is the type of the weights.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use interrogate::Precision;
//! use interrogate::caption::{GenerationConfig, open};
//! use interrogate::picture::Picture;
//!
//! let captioner = open(Path::new("blip-image-captioning-base"), Precision::F32)?;
//! let picture = Picture::from_rgb(1, 1, vec![255, 0, 0])?;
//! let captions = captioner.caption(&[picture], &GenerationConfig::default())?;
//! println!("{}", captions[0].text);
//! # Ok::<(), interrogate::Error>(())
//! ```

mod bert;
mod blip;
mod blip2;
mod decoder_state;
mod florence2;
#[cfg(doc)]
use crate::error::{CheckpointError, DeviceError, RowsError, WeightsError};

#[cfg(test)]
mod device_tests;
mod generate;
mod git;
mod image_batches;
mod memory_check;
mod post_norm_decoder;
mod special_tokens;
#[cfg(test)]
mod tests;
mod tokenizer;
mod vision;

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use generate::{CaptionTask, EarlyStopping, GenerationConfig, Sampling};

use crate::clip::preprocess::{self, Processor};
use crate::error::CaptionError;
use crate::nn::{Backend, Compute, Cpu, Gpu};
use crate::picture::{Picture, Pixels, Preprocess};
use crate::weights::Weights;
use crate::{Device, Error, Precision, Result, input, limits};
use generate::Sequence;
use tokenizer::CaptionTokenizer;

/// Short names of captioners, and their repositories on the hub.
pub const NAMES: [(&str, &str); 9] = [
    ("blip-base", "Salesforce/blip-image-captioning-base"),
    ("blip-large", "Salesforce/blip-image-captioning-large"),
    ("blip2-2.7b", "Salesforce/blip2-opt-2.7b"),
    ("blip2-6.7b", "Salesforce/blip2-opt-6.7b"),
    ("blip2-flan-t5-xl", "Salesforce/blip2-flan-t5-xl"),
    ("blip2-flan-t5-xxl", "Salesforce/blip2-flan-t5-xxl"),
    ("florence2-base", "florence-community/Florence-2-base"),
    ("florence2-large", "florence-community/Florence-2-large"),
    ("git-large-coco", "microsoft/git-large-coco"),
];

/// The caption of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// The generated text, without the prompt, special tokens, and OPT's newline at the end.
    pub text: String,
    /// The generated tokens, without the prompt, including the end-of-sequence token if any.
    pub tokens: Vec<u32>,
    /// With beams: the caption's log-probability divided by its length to the power of the length
    /// penalty. Otherwise `None`.
    pub score: Option<f32>,
}

/// The progress of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of finished captions.
    pub images: usize,
    /// Number of tokens generated so far, over all images: one per step and unfinished image.
    pub tokens: usize,
}

/// An image captioning model.
///
/// See the [module](self) for an example.
pub trait Captioner: Send + Sync {
    /// Returns the preprocessing that turns an image into the pixels for [`caption_pixels`].
    ///
    /// [`caption_pixels`]: Self::caption_pixels
    fn preprocess(&self) -> &Preprocess;

    /// Returns the options that the model is used with: [`GenerationConfig::default`], unless the
    /// model's reference has others. Florence-2 has 3 beams, stops when 3 hypotheses are finished,
    /// repeats no trigram, and generates up to 128 tokens.
    fn defaults(&self) -> GenerationConfig {
        GenerationConfig::default()
    }

    /// Captions preprocessed images, given as pixels (images, 3, height, width), in their order.
    /// `on_progress` is called after each step.
    ///
    /// All images are one batch; an image leaves it when its caption is finished. A caption
    /// depends on the other images of the batch only by rounding.
    ///
    /// # Errors
    /// [`CaptionError::Generation`] if an option is out of range, [`RowsError::Dim`] if `pixels` is not a
    /// multiple of an image's, [`CheckpointError::Tokenizer`] if the prompt cannot be tokenized,
    /// [`CaptionError::Logits`] if the model's scores are NaN, [`DeviceError::Tensors`].
    fn caption_pixels(
        &self,
        pixels: &[f32],
        options: &GenerationConfig,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>>;

    /// Captions `pictures` as one batch, in their order.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption(&self, pictures: &[Picture], options: &GenerationConfig) -> Result<Vec<Caption>> {
        self.caption_with_progress(pictures, options, &mut |_| {})
    }

    /// Captions `pictures` as one batch; `on_progress` is called after each step.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption_with_progress(
        &self,
        pictures: &[Picture],
        options: &GenerationConfig,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        let pixels: Result<Vec<Pixels>> =
            pictures.iter().map(|picture| self.preprocess().prepare(picture)).collect();
        self.caption_prepared(&pixels?.iter().collect::<Vec<_>>(), options, on_progress)
    }

    /// Captions images that [`preprocess`](Self::preprocess) has prepared, for example on other
    /// threads.
    ///
    /// # Errors
    /// Those of [`caption_pixels`](Self::caption_pixels).
    fn caption_prepared(
        &self,
        pixels: &[&Pixels],
        options: &GenerationConfig,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Caption>> {
        self.caption_pixels(&Pixels::joined(pixels), options, on_progress)
    }
}

/// Opens the captioner in `folder`, which has config.json, tokenizer.json,
/// preprocessor_config.json or processor_config.json, and the weights as safetensors or
/// PyTorch archives, in one file or in shards.
///
/// Maps the weights; those of another type than `precision` are converted.
///
/// # Errors
/// [`CaptionError::ModelType`] if config.json is of another model, [`CaptionError::MemoryTooSmall`] before
/// anything is loaded, [`WeightsError::ShardMissing`], [`WeightsError::BarePickle`], [`CheckpointError::Vocabulary`],
/// [`WeightsError::Missing`], [`WeightsError::Shape`], [`WeightsError::Surplus`],
/// [`Error::Mismatch`] for an unsupported configuration, [`Error::Io`], [`Error::Json`],
/// [`CheckpointError::Tokenizer`].
pub fn open(folder: &Path, precision: Precision) -> Result<Box<dyn Captioner>> {
    open_within(folder, precision, memory_check::available())
}

/// Opens the captioner in `folder` on `device`, in f32, f16 or bf16, or without a precision in
/// the default of the device: see [`Compute::precision`]. In f16 and bf16, a GPU keeps weights
/// and the results of products in that type, and sums in f32.
///
/// # Errors
/// Those of [`open`], and of a [`Device`] that is not available; [`DeviceError::CpuOnly`] for
/// q8.
pub fn open_on(
    folder: &Path,
    precision: impl Into<Option<Precision>>,
    device: Device,
) -> Result<Box<dyn Captioner>> {
    let compute = Compute { precision: precision.into(), device, ..Compute::default() };
    let Some(device) = compute.opened()? else {
        return open(folder, compute.precision.unwrap_or_default());
    };
    // Free host memory does not limit a device's memory.
    let (model, weights) = (model_type(folder)?, Weights::open_folder(folder)?);
    let precision = compute.precision_for(weights.is_mostly_f16());
    load(folder, model, weights, Gpu::new(&device, precision))
}

/// [`open`] with `available` bytes of free memory; `None` skips the check.
fn open_within(
    folder: &Path,
    precision: Precision,
    available: Option<u64>,
) -> Result<Box<dyn Captioner>> {
    let model = model_type(folder)?;
    let weights = Weights::open_folder(folder)?;
    memory_check::check(folder, memory_check::required(&weights, precision), available)?;
    load(folder, model, weights, Cpu::lean(precision))
}

/// Loads the `model` in `folder` on `backend`.
fn load<B: Backend>(
    folder: &Path,
    model: Model,
    weights: Weights,
    backend: B,
) -> Result<Box<dyn Captioner>> {
    match model {
        Model::Blip => Ok(Box::new(blip::Blip::open(folder, weights, backend)?)),
        Model::Blip2 => Ok(Box::new(blip2::Blip2::open(folder, weights, backend)?)),
        Model::Florence2 => Ok(Box::new(florence2::Florence2::open(folder, weights, backend)?)),
        Model::Git => Ok(Box::new(git::Git::open(folder, weights, backend)?)),
    }
}

/// The supported model types.
enum Model {
    Blip,
    Blip2,
    Florence2,
    Git,
}

/// Reads the model type from config.json.
fn model_type(folder: &Path) -> Result<Model> {
    #[derive(Deserialize)]
    struct RawConfig {
        #[serde(default)]
        model_type: String,
    }
    let path = folder.join("config.json");
    match read_json::<RawConfig>(&path)?.model_type.as_str() {
        "blip" => Ok(Model::Blip),
        "blip-2" => Ok(Model::Blip2),
        "florence2" => Ok(Model::Florence2),
        "git" => Ok(Model::Git),
        found => Err(Error::Caption(CaptionError::ModelType { path, found: found.to_owned() })),
    }
}

/// Opens the preprocessing for an image tower of `side` by `side` pixels; missing keys have the
/// defaults of `processor`.
fn preprocess(folder: &Path, processor: Processor, side: usize) -> Result<Preprocess> {
    preprocess::open_for(&preprocess::find(folder)?, processor, "size", side)
}

/// Checks that `options` have no task, for a model that has none.
///
/// # Errors
/// [`CaptionError::Generation`] for another task than the default.
fn check_no_task(options: &GenerationConfig) -> Result<()> {
    if options.task == CaptionTask::default() {
        return Ok(());
    }
    Err(Error::Caption(CaptionError::Generation {
        option: "task",
        expected: "caption, since only Florence-2 has others".to_owned(),
        found: options.task.to_string(),
    }))
}

/// Decodes generated sequences.
fn captions(tokenizer: &CaptionTokenizer, generated: Vec<Sequence>) -> Result<Vec<Caption>> {
    let caption = |Sequence { tokens, score }| -> Result<Caption> {
        Ok(Caption { text: tokenizer.decode(&tokens)?, tokens, score })
    };
    generated.into_iter().map(caption).collect()
}

/// Reads and parses the JSON file at `path`.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = input::read(path, limits::CONFIG)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}
