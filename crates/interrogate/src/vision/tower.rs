//! An image tower on any backend, run in batches.

use std::fmt::Debug;

use super::VisionConfig;
use super::image_tower::ImageTower;
#[cfg(doc)]
use crate::error::DeviceError;
use crate::error::RowsError;
use crate::nn::{Backend, Compute, Cpu, Gpu, Loader};
use crate::weights::Weights;
use crate::{Error, Result};

/// Batches per call on a device: one is computed, one is queued, and one is prepared or copied
/// back.
const DEVICE_BATCHES: usize = 3;

/// The color channels of an image.
const CHANNELS: usize = 3;

/// An image tower on the CPU or a device.
#[derive(Debug)]
pub(crate) struct Tower {
    batches: Box<dyn Batches>,
    dim: usize,
    image_size: usize,
    /// The number of images per call.
    images_per_call: usize,
}

/// A tower on any backend, with its number of images per batch.
trait Batches: Debug + Send + Sync {
    /// Returns the rows of `images` images, a batch after the other.
    fn rows(&self, pixels: &[f32], images: usize) -> Result<Vec<Vec<f32>>>;
}

#[derive(Debug)]
struct OnBackend<B: Backend> {
    backend: B,
    tower: Box<dyn ImageTower<B>>,
    batch: usize,
}

impl Tower {
    /// Loads a tower with rows of `dim` values on `device`, or on the CPU.
    ///
    /// # Errors
    /// Those of [`Weights::values`], and [`DeviceError::Tensors`] if a device fails.
    pub(crate) fn load(
        config: &VisionConfig,
        dim: usize,
        weights: &Weights,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let precision = compute.precision_for(weights.is_mostly_f16());
        let (batches, batch): (Box<dyn Batches>, _) = match device {
            Some(device) => on(config, dim, weights, compute, Gpu::new(device, precision))?,
            None => on(config, dim, weights, compute, Cpu::new(precision))?,
        };
        let batches_per_call = if device.is_some() { DEVICE_BATCHES } else { 1 };
        Ok(Tower {
            batches,
            dim,
            image_size: config.image_size(),
            images_per_call: batch * batches_per_call,
        })
    }

    /// Returns the width of a row.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the height and width of the input in pixels.
    pub(crate) fn image_size(&self) -> usize {
        self.image_size
    }

    /// Returns how many images to encode per call.
    pub(crate) fn images_per_call(&self) -> usize {
        self.images_per_call
    }

    /// Returns the rows (images, dim) of preprocessed images, (images, 3, height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`] if `pixels` is not a whole number of images, [`DeviceError::Tensors`],
    /// [`DeviceError::OutOfMemory`].
    pub(crate) fn rows(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let expected = CHANNELS * self.image_size * self.image_size;
        if !pixels.len().is_multiple_of(expected) {
            let found = pixels.len();
            return Err(Error::Rows(RowsError::Dim { what: "an image's pixels", expected, found }));
        }
        Ok(self.batches.rows(pixels, pixels.len() / expected)?.concat())
    }
}

/// Loads a tower on `backend`. Returns it with its number of images per batch.
fn on<B: Backend>(
    config: &VisionConfig,
    dim: usize,
    weights: &Weights,
    compute: &Compute,
    backend: B,
) -> Result<(Box<dyn Batches>, usize)> {
    let tower = config.load(&Loader::new(weights, &backend), dim)?;
    let batch = (backend.batch_tokens(compute.batch_tokens) / config.positions()).max(1);
    Ok((Box::new(OnBackend { backend, tower, batch }), batch))
}

impl<B: Backend> Batches for OnBackend<B> {
    fn rows(&self, pixels: &[f32], images: usize) -> Result<Vec<Vec<f32>>> {
        let size = pixels.len() / images.max(1);
        let batches = self.backend.batches(images, self.batch);
        self.backend.each("encoding images", batches, |work, images| {
            let pixels = &pixels[images.start * size..images.end * size];
            self.tower.forward(&self.backend, work, pixels)
        })
    }
}
