//! The embedded default model: everything runs without a download.
//!
//! Owns a small classifier and a small sentence encoder, compiled in, and how
//! they are joined. It is not CLIP, and nothing may call it so: it knows the
//! 1,000 things of ImageNet and what stands near them in language, and next to
//! nothing of styles, artists or moods. See [`NOTICE`].
//!
//! ```text
//! picture -> EfficientNet-Lite0 -> 10 likeliest classes -> mean of their sentence embeddings
//! text ---------------------------------> all-MiniLM-L6-v2 -> sentence embedding
//! ```
//!
//! Both less the mean of the classes, and brought to unit length (ConSE,
//! arXiv 1312.5650). The weights are f16 and become f32 when a side is opened.

mod classes;
mod convolve;
#[cfg(test)]
mod device_tests;
mod efficientnet;
mod embedded;
mod image;
#[cfg(test)]
mod tests;
mod text;

pub use image::StarterImage;
pub use text::{StarterText, sentences};

use crate::Result;
use crate::nn::Compute;

/// What the starter is and how to get CLIP, in one sentence: the binaries print
/// it on stderr wherever this model is used.
pub const NOTICE: &str = "model: starter, a small ImageNet classifier joined to a sentence \
    encoder: it names things, not styles or artists; for CLIP, pass --model with a checkpoint \
    folder or a hub id such as openai/clip-vit-base-patch32";

/// The lowest score that a prompt takes from this model by default.
///
/// On 23 photos and 16 crops of them no medium and no movement of the
/// dictionaries scored higher than 0.42, by chance of wording; the flavors that
/// name what is to be seen score 0.5 to 0.8. `weights/PROVENANCE.md` has the
/// figures.
pub const MIN_SCORE: f32 = 0.45;

/// The width of the starter's features and embeddings.
const DIM: usize = 384;

/// The height and width in pixels of the classifier's input.
const SIDE: usize = 224;

/// The embedded model, its sides still closed.
#[derive(Clone, Copy, Debug)]
pub struct Starter(());

impl Starter {
    /// Costs nothing: the weights are in the binary already.
    pub fn open() -> Self {
        Starter(())
    }

    /// What tells this model from any other: SHA-256 in hex over the weights,
    /// the tokenizer and the preprocessing. Reads no weight.
    pub fn fingerprint(&self) -> String {
        embedded::fingerprint()
    }

    /// Values in a row of features and embeddings.
    pub fn dim(&self) -> usize {
        DIM
    }

    /// The side that encodes texts. Widens 23 million values to f32.
    ///
    /// # Errors
    /// Those of a broken build alone: the weights are fixed when it is compiled.
    pub fn text_encoder(&self) -> Result<StarterText> {
        self.text_encoder_with(&Compute::default())
    }

    /// The same, to be run as `compute` says.
    ///
    /// # Errors
    /// Those of [`text_encoder`](Self::text_encoder), and of
    /// [`Device::check`](crate::Device::check).
    pub fn text_encoder_with(&self, compute: &Compute) -> Result<StarterText> {
        StarterText::open_on(compute, compute.opened()?.as_ref())
    }

    /// The tokenizer alone.
    ///
    /// # Errors
    /// Those of a broken build alone.
    pub fn counter(&self) -> Result<impl crate::encoder::Counter + use<>> {
        crate::sentence::counter(embedded::TOKENIZER.as_ref(), embedded::tokenizer())
    }

    /// The side that encodes pictures. Widens 5 million values to f32.
    ///
    /// # Errors
    /// Those of a broken build alone: the weights are fixed when it is compiled.
    pub fn image_encoder(&self) -> Result<StarterImage> {
        self.image_encoder_with(&Compute::default())
    }

    /// The same, where `compute` says; in f32 whatever it says.
    ///
    /// # Errors
    /// Those of [`image_encoder`](Self::image_encoder), and of
    /// [`Device::check`](crate::Device::check).
    pub fn image_encoder_with(&self, compute: &Compute) -> Result<StarterImage> {
        StarterImage::open_on(compute.opened()?.as_ref())
    }
}
