//! The starter: the default model, which needs no download.
//!
//! Owns a small classifier and a small sentence encoder, and their combination. Their files are
//! compiled in with the feature `starter`, or are read from a folder. It is not CLIP and must not be called so: it knows the 1,000 classes of
//! ImageNet and words of similar meaning, and almost nothing of styles, artists or moods. See
//! [`NOTICE`].
//!
//! ```text
//! image -> EfficientNet-Lite0 -> 10 likeliest classes -> mean of their sentence embeddings
//! text -------------------------------> all-MiniLM-L6-v2 -> sentence embedding
//! ```
//!
//! The mean of all classes is subtracted from both, and both are normalized to unit length
//! (ConSE, arXiv 1312.5650). The weights are f16; an encoder widens them to f32 when it is
//! opened.

mod classes;
mod convolve;
#[cfg(test)]
mod device_tests;
mod efficientnet;
mod embedded;
mod files;
mod image;
mod shortlist;
#[cfg(test)]
mod tests;
mod text;

pub use image::StarterImage;
use shortlist::Shortlist;
pub use text::StarterText;

use std::path::Path;

use crate::Result;
use crate::encoder::Counter;
#[cfg(doc)]
use crate::error::ModelError;
use crate::nn::Compute;
use crate::sentence::{self, MiniLm};
use files::Files;

/// A sentence about what the starter is and how to use CLIP instead. The binaries print it on
/// stderr whenever they use this model.
pub const NOTICE: &str = "model: starter, a small ImageNet classifier joined to a sentence \
    encoder: it names things, not styles or artists; for CLIP, pass --model with a checkpoint \
    folder or a hub id such as openai/clip-vit-base-patch32";

/// The default lowest score of a label in a prompt with this model.
///
/// On 23 photos and 16 crops of them, no medium and no movement of the dictionaries scored
/// above 0.42, which is an accident of wording; flavors that name what the image shows score
/// 0.5 to 0.8. `weights/PROVENANCE.md` has the figures.
pub const MIN_SCORE: f32 = 0.45;

/// The width of the starter's features and embeddings.
const DIM: usize = 384;

/// The height and width in pixels of the classifier's input.
const SIDE: usize = 224;

/// The model, with its encoders not yet loaded.
#[derive(Clone, Debug)]
pub struct Starter {
    files: Files,
}

impl Starter {
    /// Opens the model in `folder`, a copy of the files of `weights/`:
    /// `all-minilm-l6-v2.safetensors`, `classes.safetensors`, `efficientnet-lite0.safetensors`,
    /// `flavors.safetensors` and `tokenizer.json`. `None` stands for the compiled-in files, which
    /// are the same. Reads no weights; each file is compared with its SHA-256 when it is loaded.
    ///
    /// # Errors
    /// [`ModelError::StarterMissing`] without a folder, if the library was compiled without the
    /// files; [`ModelError::StarterFile`] for a missing file;
    /// [`Error::Io`](crate::Error::Io) and [`Error::Mismatch`](crate::Error::Mismatch) for one
    /// that cannot be opened.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        Ok(Starter { files: Files::open(folder)? })
    }

    /// Returns the fingerprint: a hex SHA-256 over the weights, the tokenizer and the
    /// preprocessing. It does not depend on where the files are. Reads no weights.
    pub fn fingerprint(&self) -> String {
        Files::fingerprint()
    }

    /// Returns the width of features and embeddings.
    pub fn dim(&self) -> usize {
        DIM
    }

    /// Loads the text encoder. Widens 23 million values to f32.
    ///
    /// # Errors
    /// From a folder, [`ModelError::StarterFile`] for a file that is not the starter's, and
    /// [`Error::Io`](crate::Error::Io); none for compiled-in files.
    pub fn text_encoder(&self) -> Result<StarterText> {
        self.text_encoder_with(&Compute::default())
    }

    /// Loads the text encoder with the settings of `compute`.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<StarterText> {
        StarterText::open_on(&self.files, compute, compute.opened()?.as_ref())
    }

    /// Loads the sentence encoder of the text encoder, all-MiniLM-L6-v2 with f16 weights, with
    /// the settings of `compute`.
    ///
    /// # Errors
    /// Those of [`text_encoder_with`](Self::text_encoder_with).
    pub fn sentences_with(&self, compute: &Compute) -> Result<MiniLm> {
        text::sentences_on(&self.files, compute, compute.opened()?.as_ref())
    }

    /// Opens the tokenizer only.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder).
    pub fn counter(&self) -> Result<impl Counter + use<>> {
        let (path, json) = self.files.text(&embedded::TOKENIZER)?;
        sentence::counter(&path, &json)
    }

    /// Loads the image encoder. Widens 5 million values to f32.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder).
    pub fn image_encoder(&self) -> Result<StarterImage> {
        self.image_encoder_with(&Compute::default())
    }

    /// Loads the image encoder on the device of `compute`, always in f32.
    ///
    /// # Errors
    /// Those of [`image_encoder`](Self::image_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<StarterImage> {
        StarterImage::open_on(&self.files, compute.opened()?.as_ref())
    }

    /// Loads the codes of the flavors.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder).
    pub(crate) fn shortlist(&self) -> Result<Shortlist> {
        Shortlist::open(&self.files)
    }
}
