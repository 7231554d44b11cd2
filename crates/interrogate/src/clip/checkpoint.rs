//! A checkpoint's folder: which files there are, and what they make together.

use std::path::{Path, PathBuf};

use super::config::Config;
use super::fingerprint::fingerprint;
use super::tokenizer::{Files, Tokenizer};
use super::{ClipText, ClipVision, names, preprocess};
use crate::encoder::Counter;
use crate::mmap::Mmap;
use crate::nn::Compute;
use crate::weights::Weights;
use crate::{Error, Result};

/// A CLIP checkpoint in Hugging Face layout, checked and not yet loaded.
///
/// The folder holds config.json, preprocessor_config.json, the weights
/// (model.safetensors, or the shards that model.safetensors.index.json names)
/// and the tokenizer (tokenizer.json, or vocab.json and merges.txt).
#[derive(Clone, Debug)]
pub struct Checkpoint {
    config_path: PathBuf,
    config: Config,
    weights: WeightFiles,
    tokenizer: Files,
    preprocessor: PathBuf,
}

#[derive(Clone, Debug)]
enum WeightFiles {
    One(PathBuf),
    Sharded(PathBuf),
}

impl WeightFiles {
    fn open(&self) -> Result<Weights> {
        match self {
            WeightFiles::One(path) => Weights::open(path),
            WeightFiles::Sharded(index) => Weights::open_sharded(index),
        }
    }
}

impl Checkpoint {
    /// Finds the files in `folder`, reads config.json and checks the names and
    /// shapes of all weights, of both towers, against it. Reads the headers
    /// alone.
    ///
    /// # Errors
    /// [`Error::FileMissing`]; those of [`Config::open`] and [`Weights::open`];
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::WeightSurplus`].
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            // Says why: absent, or not a folder.
            std::fs::read_dir(folder).map_err(Error::io("open", folder))?;
        }
        let config_path = find(folder, "config.json")?;
        let config = Config::open(&config_path)?;
        let weights = match find(folder, "model.safetensors") {
            Ok(path) => WeightFiles::One(path),
            Err(missing) => find(folder, "model.safetensors.index.json")
                .map(WeightFiles::Sharded)
                .map_err(|_| missing)?,
        };
        let tokenizer = match find(folder, "tokenizer.json") {
            Ok(path) => Files::Whole(path),
            Err(missing) => match (find(folder, "vocab.json"), find(folder, "merges.txt")) {
                (Ok(vocab), Ok(merges)) => Files::Parts(vocab, merges),
                (Ok(_), Err(half)) | (Err(half), Ok(_)) => return Err(half),
                _ => return Err(missing),
            },
        };
        let preprocessor = find(folder, "preprocessor_config.json")?;
        weights.open()?.check(&config.weights(), names::extra)?;
        Ok(Checkpoint { config_path, config, weights, tokenizer, preprocessor })
    }

    /// The sizes of both towers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Values of an embedding and of an image's features.
    pub fn dim(&self) -> usize {
        self.config.projection_dim
    }

    /// Hex sha256 over weights, tokenizer, preprocessing and config: whatever
    /// changes a row changes it. Reads every byte, on all threads.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be mapped.
    pub fn fingerprint(&self) -> Result<String> {
        let weights = self.weights.open()?;
        let mut small = vec![("config", self.config_path.as_path())];
        small.extend(self.tokenizer.paths().into_iter().map(|path| ("tokenizer", path)));
        small.push(("preprocessing", &self.preprocessor));
        let small = small.into_iter().map(|(part, path)| Ok((part, Mmap::open(path)?)));
        let small = small.collect::<Result<Vec<_>>>()?;
        let small = small.iter().map(|(part, map)| (*part, map.as_ref()));
        let files: Vec<(&str, &[u8])> =
            small.chain(weights.files().map(|bytes| ("weights", bytes))).collect();
        Ok(fingerprint(&files))
    }

    /// Loads the text tower and its tokenizer; the image tower's weights stay on
    /// disk.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tokenizer`] and [`Error::Mismatch`] of the
    /// tokenizer's files, and those of [`Weights::take`].
    pub fn text_encoder(&self) -> Result<ClipText> {
        self.text_encoder_with(&Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<ClipText> {
        let tokenizer = Tokenizer::open(&self.tokenizer, &self.config.text)?;
        ClipText::new(&self.weights.open()?, &self.config, tokenizer, compute)
    }

    /// Opens the tokenizer alone.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Tokenizer`] and [`Error::Mismatch`] of its files.
    pub fn counter(&self) -> Result<impl Counter + use<>> {
        Tokenizer::open(&self.tokenizer, &self.config.text)
    }

    /// Loads the image tower and its preprocessing; the text tower's weights
    /// stay on disk.
    ///
    /// # Errors
    /// Those of preprocessor_config.json, [`Error::Mismatch`] where it crops to
    /// another size than the tower takes, and those of [`Weights::take`].
    pub fn image_encoder(&self) -> Result<ClipVision> {
        self.image_encoder_with(&Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`image_encoder`](Self::image_encoder).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<ClipVision> {
        let preprocess = preprocess::open(&self.preprocessor)?;
        let side = self.config.vision.image_size;
        let (height, width) = preprocess.crop;
        if [height, width].map(|side| side as usize) != [side, side] {
            let (path, expected) = (&self.preprocessor, format!("{side} x {side}"));
            return Err(Error::mismatch(path, "crop", expected, format!("{height} x {width}")));
        }
        ClipVision::new(&self.weights.open()?, &self.config, preprocess, compute)
    }
}

/// The file `name` in `folder`.
fn find(folder: &Path, name: &'static str) -> Result<PathBuf> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::FileMissing { folder: folder.to_owned(), name })
}
