//! The image encoder: preprocessing and an image tower.

use super::config::Config;
use crate::Result;
use crate::encoder::{Features, ImageEncoder};
#[cfg(doc)]
use crate::error::{DeviceError, RowsError};
use crate::nn::Compute;
use crate::picture::{Picture, Pixels, Preprocess};
use crate::vision::Tower;
use crate::weights::Weights;

/// CLIP's image tower with its preprocessing.
#[derive(Debug)]
pub struct ClipVision {
    preprocess: Preprocess,
    tower: Tower,
}

impl ClipVision {
    /// Loads the tower on `device`, or on the CPU.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        preprocess: Preprocess,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let tower = Tower::load(&config.vision, config.projection_dim, weights, compute, device)?;
        Ok(ClipVision { preprocess, tower })
    }

    /// Returns the height and width of the tower's input in pixels.
    pub fn image_size(&self) -> usize {
        self.tower.image_size()
    }

    /// Returns the features of preprocessed images, (images, 3, height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`] if `pixels` is not a whole number of images, [`DeviceError::Tensors`],
    /// [`DeviceError::OutOfMemory`], [`RowsError::Direction`].
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<Features>> {
        let rows = self.tower.rows(pixels)?;
        rows.chunks_exact(self.tower.dim()).map(|row| Features::new(row.to_vec())).collect()
    }
}

impl ImageEncoder for ClipVision {
    fn dim(&self) -> usize {
        self.tower.dim()
    }

    fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.preprocess.prepare(picture)
    }

    fn encode_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Features>> {
        let mut features = Vec::with_capacity(pixels.len());
        for pixels in pixels.chunks(self.tower.images_per_call()) {
            features.extend(self.features(&Pixels::joined(pixels))?);
        }
        Ok(features)
    }
}
