//! From a picture to the pixels a model wants: resize, crop, mean and std.

use super::Picture;
use crate::Result;

/// The steps before an image tower, in the order the field does them.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Pixels of the shorter side after the bicubic resize.
    pub shorter_side: u32,
    /// Height and width of the centre crop.
    pub crop: (u32, u32),
    /// What a value in 0..=1 is lessened by, a channel.
    pub mean: [f32; 3],
    /// What it is divided by then, a channel.
    pub std: [f32; 3],
}

impl Preprocess {
    /// The pixels (3, height, width) of `picture`, channel by channel.
    pub fn pixels(&self, picture: &Picture) -> Result<Vec<f32>> {
        let _ = picture;
        todo!()
    }
}
