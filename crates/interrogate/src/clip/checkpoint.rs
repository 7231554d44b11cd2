//! A checkpoint: what its files make together.

use std::path::{Path, PathBuf};

use super::cleaning::{Cleaning, TextCleaning};
use super::config::Config;
use super::files::Files;
use super::fingerprint::fingerprint;
use super::preprocess::{self, Processor};
use super::tokenizer::{FileBytes, Tokenizer, TokenizerFiles};
use super::{ClipText, ClipVision, names, openai};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::encoder::Counter;
use crate::mmap::Mmap;
use crate::nn::Compute;
use crate::picture::Preprocess;
use crate::weights::Weights;

/// A CLIP checkpoint, checked and not yet loaded.
///
/// In Hugging Face layout its folder holds config.json,
/// preprocessor_config.json or processor_config.json, the weights (model.safetensors or
/// pytorch_model.bin, or the shards that an index of either names) and the tokenizer
/// (tokenizer.json, or vocab.json and merges.txt).
///
/// In OpenAI's own layout it is one file: the TorchScript archive that OpenAI
/// published (`ViT-B-32.pt`), a state dict saved by PyTorch, or OpenCLIP's
/// safetensors. Beside it may stand open_clip_config.json and a tokenizer; what
/// is not there is OpenAI's.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file of the weights, or the index of several.
    weights: PathBuf,
    /// The file that says the sizes; `None` where the weights do.
    config_path: Option<PathBuf>,
    config: Config,
    tokenizer: TokenizerFiles,
    /// As the layout's own code cleans texts, and as it is done.
    own_cleaning: Cleaning,
    cleaning: Cleaning,
    steps: Steps,
}

/// Where the steps before the image tower are told.
#[derive(Clone, Debug)]
enum Steps {
    /// In a preprocessor_config.json.
    File(PathBuf),
    /// By the layout.
    Known(Preprocess),
}

impl Checkpoint {
    /// Finds the files that `path`, a folder or a file of weights, is made of,
    /// reads the sizes and checks the names and shapes of all weights, of both
    /// towers, against them. Reads the headers alone.
    ///
    /// # Errors
    /// [`Error::FileMissing`]; those of [`Config::open`] and [`Weights::open`];
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::WeightSurplus`];
    /// in OpenAI's layout [`Error::OpenClipConfig`], [`Error::TokenizerMissing`].
    pub fn open(path: &Path) -> Result<Self> {
        let files = Files::find(path)?;
        let weights = Weights::open_any(&files.weights)?;
        if openai::is_layout(&weights) {
            Self::openai(files, weights)
        } else {
            Self::plain(files, weights)
        }
    }

    fn plain(files: Files, weights: Weights) -> Result<Self> {
        let config_path = files.named("config.json")?;
        let config = Config::open(&config_path)?;
        let tokenizer = files.tokenizer()?;
        let preprocessor = files.preprocessor()?;
        weights.check(&config.weights(), names::extra)?;
        Ok(Checkpoint {
            weights: files.weights,
            config_path: Some(config_path),
            config,
            tokenizer,
            own_cleaning: Cleaning::Transformers,
            cleaning: Cleaning::Transformers,
            steps: Steps::File(preprocessor),
        })
    }

    fn openai(files: Files, weights: Weights) -> Result<Self> {
        let config_path = files.named(openai::CONFIG).ok();
        let (weights, config, steps) = openai::read(weights, config_path.as_deref())?;
        let tokenizer = files.shared_tokenizer(config.text.vocab_size)?;
        weights.check(&config.weights(), openai::extra)?;
        let cleaning = openai::cleaning(config_path.as_deref())?;
        let (weights, steps) = (files.weights, Steps::Known(steps));
        let own_cleaning = cleaning;
        Ok(Checkpoint { weights, config_path, config, tokenizer, own_cleaning, cleaning, steps })
    }

    /// The same checkpoint, its texts to be cleaned as `cleaning` says. Rows of
    /// another cleaning than the layout's own have another
    /// [fingerprint](Self::fingerprint).
    pub fn cleaning(self, cleaning: TextCleaning) -> Self {
        let cleaning = match (cleaning, self.own_cleaning) {
            (TextCleaning::Transformers, _) => Cleaning::Transformers,
            (TextCleaning::OpenAi, Cleaning::Transformers) => Cleaning::OpenAi,
            (TextCleaning::Auto | TextCleaning::OpenAi, own) => own,
        };
        Checkpoint { cleaning, ..self }
    }

    /// The cleaning under which the checkpoint has this fingerprint, where there is
    /// one. Reads every byte for each.
    ///
    /// # Errors
    /// Those of [`fingerprint`](Self::fingerprint).
    pub fn cleaning_of(&self, fingerprint: &str) -> Result<Option<TextCleaning>> {
        for cleaning in TextCleaning::ALL {
            if self.clone().cleaning(cleaning).fingerprint()? == fingerprint {
                return Ok(Some(cleaning));
            }
        }
        Ok(None)
    }

    /// The weights under the names of transformers.
    fn weights(&self) -> Result<Weights> {
        let weights = Weights::open_any(&self.weights)?;
        match &self.steps {
            Steps::File(_) => Ok(weights),
            Steps::Known(_) => Ok(openai::read(weights, self.config_path.as_deref())?.0),
        }
    }

    /// The sizes of both towers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Values of an embedding and of an image's features.
    pub fn dim(&self) -> usize {
        self.config.projection_dim
    }

    /// Hex sha256 over weights, tokenizer, text cleaning, preprocessing and config:
    /// whatever changes a row changes it. Reads every byte, on all threads.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be mapped.
    pub fn fingerprint(&self) -> Result<String> {
        let weights = Weights::open_any(&self.weights)?;
        let map = |path: &PathBuf| Mmap::open(path).map(FileBytes::Mapped);
        let mut small = Vec::new();
        if let Some(path) = &self.config_path {
            small.push(("config", map(path)?));
        }
        small.extend(self.tokenizer.bytes()?.into_iter().map(|bytes| ("tokenizer", bytes)));
        small.push(match &self.steps {
            Steps::File(path) => ("preprocessing", map(path)?),
            // The code that knows them: change it with anything that changes a row.
            Steps::Known(_) => ("preprocessing", FileBytes::Embedded(b"openai 1")),
        });
        if let Some(tag) = self.cleaning.tag() {
            small.push(("cleaning", FileBytes::Embedded(tag)));
        }
        let small = small.iter().map(|(part, bytes)| (*part, bytes.as_ref()));
        let files: Vec<(&str, &[u8])> =
            small.chain(weights.files().map(|bytes| ("weights", bytes))).collect();
        Ok(fingerprint(&files))
    }

    /// Loads the text tower and its tokenizer; the image tower's weights stay on
    /// disk.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tokenizer`] and [`Error::Mismatch`] of the
    /// tokenizer's files, and those of [`Weights::values`].
    pub fn text_encoder(&self) -> Result<ClipText> {
        self.text_encoder_with(&Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder), and of
    /// [`Device::check`](crate::Device::check).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<ClipText> {
        self.text_encoder_on(compute, compute.opened()?.as_ref())
    }

    /// The same on `device`, or by this library's own kernels.
    pub(super) fn text_encoder_on(
        &self,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<ClipText> {
        let tokenizer = Tokenizer::open(&self.tokenizer, &self.config.text, self.cleaning)?;
        ClipText::new(&self.weights()?, &self.config, tokenizer, compute, device)
    }

    /// Opens the tokenizer alone.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tokenizer`] and [`Error::Mismatch`] of its files.
    pub fn counter(&self) -> Result<impl Counter + use<>> {
        Tokenizer::open(&self.tokenizer, &self.config.text, self.cleaning)
    }

    /// Loads the image tower and its preprocessing; the text tower's weights
    /// stay on disk.
    ///
    /// # Errors
    /// Those of preprocessor_config.json, [`Error::Mismatch`] where it crops to
    /// another size than the tower takes, and those of [`Weights::values`].
    pub fn image_encoder(&self) -> Result<ClipVision> {
        self.image_encoder_with(&Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`image_encoder`](Self::image_encoder), and of
    /// [`Device::check`](crate::Device::check).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<ClipVision> {
        self.image_encoder_on(compute, compute.opened()?.as_ref())
    }

    /// The same on `device`, or by this library's own kernels.
    pub(super) fn image_encoder_on(
        &self,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<ClipVision> {
        let preprocess = match &self.steps {
            Steps::File(path) => {
                let side = self.config.vision.image_size;
                preprocess::open_for(path, Processor::Clip, "crop", side)?
            }
            Steps::Known(steps) => steps.clone(),
        };
        ClipVision::new(&self.weights()?, &self.config, preprocess, compute, device)
    }
}
