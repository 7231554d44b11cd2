//! The starter: the embedded default model, which needs no download.
//!
//! Owns a small classifier and a small sentence encoder, which are compiled in, and their
//! combination. It is not CLIP and must not be called so: it knows the 1,000 classes of
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
mod image;
mod shortlist;
#[cfg(test)]
mod tests;
mod text;

pub use image::StarterImage;
pub(crate) use shortlist::Shortlist;
pub use text::{StarterText, sentences};

use crate::Result;
use crate::nn::Compute;

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

/// The embedded model, with its encoders not yet loaded.
#[derive(Clone, Copy, Debug)]
pub struct Starter(());

impl Starter {
    /// Opens the model. Free, because the weights are in the binary.
    pub fn open() -> Self {
        Starter(())
    }

    /// Returns the fingerprint: a hex SHA-256 over the weights, the tokenizer and the
    /// preprocessing. Reads no weights.
    pub fn fingerprint(&self) -> String {
        embedded::fingerprint()
    }

    /// Returns the width of features and embeddings.
    pub fn dim(&self) -> usize {
        DIM
    }

    /// Loads the text encoder. Widens 23 million values to f32.
    ///
    /// # Errors
    /// Only in a broken build, because the weights are fixed at compile time.
    pub fn text_encoder(&self) -> Result<StarterText> {
        self.text_encoder_with(&Compute::default())
    }

    /// Loads the text encoder with the settings of `compute`.
    ///
    /// # Errors
    /// The errors of [`text_encoder`](Self::text_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<StarterText> {
        StarterText::open_on(compute, compute.opened()?.as_ref())
    }

    /// Opens the tokenizer only.
    ///
    /// # Errors
    /// Only in a broken build.
    pub fn counter(&self) -> Result<impl crate::encoder::Counter + use<>> {
        crate::sentence::counter(embedded::TOKENIZER.as_ref(), embedded::tokenizer())
    }

    /// Loads the image encoder. Widens 5 million values to f32.
    ///
    /// # Errors
    /// Only in a broken build, because the weights are fixed at compile time.
    pub fn image_encoder(&self) -> Result<StarterImage> {
        self.image_encoder_with(&Compute::default())
    }

    /// Loads the image encoder on the device of `compute`, always in f32.
    ///
    /// # Errors
    /// The errors of [`image_encoder`](Self::image_encoder) and of
    /// [`Device::check`](crate::Device::check).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<StarterImage> {
        StarterImage::open_on(compute.opened()?.as_ref())
    }
}
