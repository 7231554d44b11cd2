//! A CLIP checkpoint: its files, checked together.

use std::path::{Path, PathBuf};

use super::cleaning::{Cleaning, Form, TextCleaning};
use super::config::{Config, TextAttention};
use super::files::Files;
use super::fingerprint::fingerprint;
use super::preprocess::{self, Processor};
use super::tokenizer::{Tokenizer, TokenizerFiles};
use super::{ClipText, ClipVision, hugging_face, openai};
use crate::encoder::Counter;
#[cfg(doc)]
use crate::error::{CheckpointError, WeightsError};
use crate::mmap::FileBytes;
use crate::nn::{Compute, Precision};
use crate::picture::Preprocess;
use crate::rank::Sigmoid;
use crate::weights::Weights;
use crate::{Error, Result};

/// A CLIP checkpoint, checked but not loaded.
///
/// In Hugging Face's layout it is a folder with config.json, preprocessor_config.json or
/// processor_config.json, the weights (model.safetensors or pytorch_model.bin, or the shards
/// that an index of either names) and the tokenizer (tokenizer.json, or vocab.json and
/// merges.txt).
///
/// In OpenAI's layout it is one file: the TorchScript archive that OpenAI published
/// (`ViT-B-32.pt`), a state dict saved by PyTorch, or OpenCLIP's safetensors. An
/// open_clip_config.json and a tokenizer may be in the same folder; the defaults are
/// OpenAI's.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file of the weights, or the index of several files.
    weights: PathBuf,
    /// The file with the sizes; `None` if they follow from the weights.
    config_path: Option<PathBuf>,
    config: Config,
    tokenizer: TokenizerFiles,
    /// The cleaning of the layout's own code.
    own_cleaning: Cleaning,
    /// The cleaning in use.
    cleaning: Cleaning,
    preprocessing: Preprocessing,
    /// Whether most of the weights are f16.
    mostly_f16: bool,
}

/// The source of the preprocessing steps.
#[derive(Clone, Debug)]
enum Preprocessing {
    /// A preprocessor_config.json or processor_config.json, in Hugging Face's layout.
    File(PathBuf),
    /// The layout itself, in OpenAI's.
    Known(Preprocess),
}

impl Checkpoint {
    /// Opens the checkpoint at `path`, a folder or a file of weights.
    ///
    /// Finds its files, reads the sizes, and checks the names and shapes of all weights of
    /// both towers against them. Reads only the headers of the weights.
    ///
    /// # Errors
    /// [`CheckpointError::FileMissing`]; the errors of [`Config::open`] and [`Weights::open`];
    /// [`WeightsError::Missing`], [`WeightsError::Shape`], [`WeightsError::Surplus`];
    /// in OpenAI's layout [`CheckpointError::OpenClipConfig`], [`CheckpointError::TokenizerMissing`].
    pub fn open(path: &Path) -> Result<Self> {
        let files = Files::find(path)?;
        let weights = Weights::open_any(&files.weights)?;
        if openai::is_layout(&weights) {
            Self::openai(files, weights)
        } else {
            Self::hugging_face(files, weights)
        }
    }

    fn hugging_face(files: Files, weights: Weights) -> Result<Self> {
        let config_path = files.file("config.json")?;
        let config = Config::open(&config_path)?;
        let tokenizer = files.tokenizer()?;
        let preprocessor = files.preprocessor()?;
        let weights = hugging_face::read(weights)?;
        weights.check(&config.weights(), hugging_face::extra)?;
        let cleaning = Cleaning::of_transformers(&config.text);
        Ok(Checkpoint {
            mostly_f16: weights.is_mostly_f16(),
            weights: files.weights,
            config_path: Some(config_path),
            config,
            tokenizer,
            own_cleaning: cleaning,
            cleaning,
            preprocessing: Preprocessing::File(preprocessor),
        })
    }

    fn openai(files: Files, weights: Weights) -> Result<Self> {
        let config_path = files.file(openai::CONFIG).ok();
        let (weights, config, steps) = openai::read(weights, config_path.as_deref())?;
        let tokenizer = files.openai_tokenizer(config.text.vocab_size)?;
        weights.check(&config.weights(), openai::extra)?;
        let cleaning = openai::cleaning(config_path.as_deref())?;
        let mostly_f16 = weights.is_mostly_f16();
        let (weights, preprocessing) = (files.weights, Preprocessing::Known(steps));
        let own_cleaning = cleaning;
        Ok(Checkpoint {
            weights,
            config_path,
            config,
            tokenizer,
            own_cleaning,
            cleaning,
            preprocessing,
            mostly_f16,
        })
    }

    /// Sets the cleaning of texts. A cleaning other than the layout's own changes the
    /// [fingerprint](Self::fingerprint).
    pub fn cleaning(self, cleaning: TextCleaning) -> Self {
        let cleaning = match (cleaning, self.own_cleaning) {
            (TextCleaning::Transformers, _) => Cleaning::of_transformers(&self.config.text),
            (TextCleaning::OpenAi, Cleaning::Transformers) => Cleaning::OpenAi,
            (TextCleaning::OpenAi, Cleaning::Siglip) => Cleaning::OpenClip(Form::Canonicalize),
            (TextCleaning::Auto | TextCleaning::OpenAi, own) => own,
        };
        Checkpoint { cleaning, ..self }
    }

    /// Returns the cleaning with which the checkpoint has this fingerprint; `None` if there
    /// is none. Reads every byte once per cleaning.
    ///
    /// # Errors
    /// The errors of [`fingerprint`](Self::fingerprint).
    pub fn cleaning_of(&self, fingerprint: &str) -> Result<Option<TextCleaning>> {
        for cleaning in TextCleaning::ALL {
            if self.clone().cleaning(cleaning).fingerprint()? == fingerprint {
                return Ok(Some(cleaning));
            }
        }
        Ok(None)
    }

    /// Opens the weights, under the names of transformers.
    fn weights(&self) -> Result<Weights> {
        let weights = Weights::open_any(&self.weights)?;
        match &self.preprocessing {
            Preprocessing::File(_) => hugging_face::read(weights),
            Preprocessing::Known(_) => Ok(openai::read(weights, self.config_path.as_deref())?.0),
        }
    }

    /// Returns the sizes of both towers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the function from a cosine to a probability, for a model that was trained with a
    /// sigmoid: `logit_bias` and the exponential of `logit_scale`. `None` for others, which have no
    /// bias.
    ///
    /// # Errors
    /// [`WeightsError::Shape`] unless both are a single number; [`Error::Mismatch`] if one is not
    /// finite.
    pub fn sigmoid(&self) -> Result<Option<Sigmoid>> {
        let weights = Weights::open_any(&self.weights)?;
        if !weights.contains("logit_bias") || !weights.contains("logit_scale") {
            return Ok(None);
        }
        let number = |name: &str| -> Result<f32> {
            let shape = weights.shape(name).unwrap_or_default();
            let scalar = if shape.len() > 1 { vec![1] } else { shape.to_vec() };
            let values = weights.values(name, &scalar)?;
            match values[..] {
                [value] if value.is_finite() => Ok(value),
                _ => Err(Error::mismatch(
                    &self.weights,
                    "score",
                    "one number",
                    format!("{values:?}"),
                )),
            }
        };
        Ok(Some(Sigmoid { scale: number("logit_scale")?.exp(), bias: number("logit_bias")? }))
    }

    /// Returns whether every text costs the whole context length, because nothing is shared
    /// between texts with a common beginning.
    pub fn is_padded(&self) -> bool {
        self.config.text.parts.attention == TextAttention::Padded
    }

    /// Returns the width of embeddings and features.
    pub fn dim(&self) -> usize {
        self.config.projection_dim
    }

    /// Returns the precision of encoders that are loaded with `compute`.
    pub fn precision(&self, compute: &Compute) -> Precision {
        compute.precision_for(self.mostly_f16)
    }

    /// Returns a hex SHA-256 over weights, tokenizer, text cleaning, preprocessing and
    /// config. Everything that changes an embedding or a feature changes it. Reads every
    /// byte, on all threads.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be mapped.
    pub fn fingerprint(&self) -> Result<String> {
        let weights = Weights::open_any(&self.weights)?;
        let mut small = Vec::new();
        if let Some(path) = &self.config_path {
            small.push(("config", FileBytes::map(path)?));
        }
        small.extend(self.tokenizer.bytes()?.into_iter().map(|bytes| ("tokenizer", bytes)));
        small.push(match &self.preprocessing {
            Preprocessing::File(path) => ("preprocessing", FileBytes::map(path)?),
            // The version of the code: increment it with anything that changes a feature.
            Preprocessing::Known(_) => ("preprocessing", FileBytes::Embedded(b"openai 1")),
        });
        if let Some(tag) = self.cleaning.tag() {
            small.push(("cleaning", FileBytes::Embedded(tag)));
        }
        let small = small.iter().map(|(part, bytes)| (*part, bytes.as_ref()));
        let files: Vec<(&str, &[u8])> =
            small.chain(weights.files().map(|bytes| ("weights", bytes))).collect();
        Ok(fingerprint(&files))
    }

    /// Loads the text tower and its tokenizer, but not the image tower.
    ///
    /// # Errors
    /// [`Error::Io`], [`CheckpointError::Tokenizer`] and [`Error::Mismatch`] for the tokenizer's
    /// files, and the errors of [`Weights::values`].
    pub fn text_encoder(&self) -> Result<ClipText> {
        self.text_encoder_with(&Compute::default())
    }

    /// Loads the text tower like [`text_encoder`](Self::text_encoder), with the settings of
    /// `compute`.
    ///
    /// # Errors
    /// The errors of [`text_encoder`](Self::text_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<ClipText> {
        self.text_encoder_on(compute, compute.opened()?.as_ref())
    }

    /// Loads the text tower on `device`, or on the CPU for this library's own kernels.
    pub(super) fn text_encoder_on(
        &self,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<ClipText> {
        let tokenizer = || Tokenizer::open(&self.tokenizer, &self.config.text, self.cleaning);
        ClipText::new(&self.weights()?, &self.config, tokenizer, compute, device)
    }

    /// Opens the tokenizer only.
    ///
    /// # Errors
    /// [`Error::Io`], [`CheckpointError::Tokenizer`] and [`Error::Mismatch`] for its files.
    pub fn counter(&self) -> Result<impl Counter + use<>> {
        Tokenizer::open(&self.tokenizer, &self.config.text, self.cleaning)
    }

    /// Loads the image tower and its preprocessing, but not the text tower.
    ///
    /// # Errors
    /// The errors of [`preprocess::open`], [`Error::Mismatch`] if the crop has another size
    /// than the tower's input, and the errors of [`Weights::values`].
    pub fn image_encoder(&self) -> Result<ClipVision> {
        self.image_encoder_with(&Compute::default())
    }

    /// Loads the image tower like [`image_encoder`](Self::image_encoder), with the settings of
    /// `compute`.
    ///
    /// # Errors
    /// The errors of [`image_encoder`](Self::image_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<ClipVision> {
        self.image_encoder_on(compute, compute.opened()?.as_ref())
    }

    /// Loads the image tower on `device`, or on the CPU for this library's own kernels.
    pub(super) fn image_encoder_on(
        &self,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<ClipVision> {
        let preprocess = match &self.preprocessing {
            Preprocessing::File(path) => {
                let side = self.config.vision.image_size();
                let processor = match self.config.text.parts.attention {
                    TextAttention::Causal => Processor::Clip,
                    TextAttention::Padded => Processor::Siglip,
                };
                preprocess::open_for(path, processor, "crop", side)?
            }
            Preprocessing::Known(steps) => steps.clone(),
        };
        ClipVision::new(&self.weights()?, &self.config, preprocess, compute, device)
    }
}
