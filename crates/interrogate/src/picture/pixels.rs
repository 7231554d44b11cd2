//! The preprocessed values of one picture.

use super::{Picture, Preprocess};
use crate::Result;

/// The input of an image tower for one picture, channel by channel.
///
/// A photo of twelve megapixels has 36 MB; CLIP's input has 0.6 MB. A caller that decodes
/// ahead of the model therefore preprocesses each picture at once and drops it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels(Vec<f32>);

impl Pixels {
    /// Wraps values (3, height, width) that are already preprocessed.
    pub fn new(values: Vec<f32>) -> Self {
        Pixels(values)
    }

    /// Returns the values (3, height, width).
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Concatenates the values of `many` pictures.
    pub fn joined(many: &[&Pixels]) -> Vec<f32> {
        let mut joined = Vec::with_capacity(many.iter().map(|pixels| pixels.0.len()).sum());
        many.iter().for_each(|pixels| joined.extend_from_slice(&pixels.0));
        joined
    }
}

impl Preprocess {
    /// Returns [`pixels`](Self::pixels) as [`Pixels`].
    ///
    /// # Errors
    /// Those of [`pixels`](Self::pixels).
    pub fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.pixels(picture).map(Pixels)
    }
}
