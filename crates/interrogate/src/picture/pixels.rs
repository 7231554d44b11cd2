//! What is left of a picture when a model has been given what it needs.

use super::{Picture, Preprocess};
use crate::Result;

/// The values that an image tower takes of one picture, channel by channel.
///
/// A photo of twelve megapixels is 36 MB; what CLIP takes of it is 0.6 MB. So
/// whoever decodes ahead of a model prepares each picture at once and lets it go.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels(Vec<f32>);

impl Pixels {
    /// Values (3, height, width) that are preprocessed already.
    pub fn new(values: Vec<f32>) -> Self {
        Pixels(values)
    }

    /// The values (3, height, width).
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The values of `many`, one behind the other.
    pub fn joined(many: &[&Pixels]) -> Vec<f32> {
        let mut joined = Vec::with_capacity(many.iter().map(|pixels| pixels.0.len()).sum());
        many.iter().for_each(|pixels| joined.extend_from_slice(&pixels.0));
        joined
    }
}

impl Preprocess {
    /// [`pixels`](Self::pixels), kept apart from other values.
    ///
    /// # Errors
    /// Those of [`pixels`](Self::pixels).
    pub fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.pixels(picture).map(Pixels)
    }
}
