//! The image tower: pixels to features.
//!
//! Follows `CLIPVisionModel` and the image half of `CLIPModel` of transformers
//! 5.23 (src/transformers/models/clip/modeling_clip.py). The convolution over
//! patches that do not overlap is a product over patches laid out as rows.
//! Decoding, resizing and cropping are for `picture`.

use rayon::prelude::*;

use super::config::{Config, VisionConfig};
use super::engine;
use super::layer::{Sizes, linear_of, norm, values};
use super::room::{Room, Rooms};
use super::scope::Scope;
use super::tower::Encoder;
use crate::encoder::{Features, ImageEncoder};
use crate::nn::threads::each;
use crate::nn::{Compute, Epilogue, LayerNorm, Linear, Precision, even};
use crate::picture::{Picture, Pixels, Preprocess};
use crate::weights::Weights;
use crate::{Error, Result};

/// CLIP's image tower with its preprocessing.
#[derive(Debug)]
pub struct ClipVision {
    preprocess: Preprocess,
    tower: Tower,
    dim: usize,
    config: VisionConfig,
    /// Images that are joined for a call.
    batch: usize,
}

/// Where it computes.
#[derive(Debug)]
enum Tower {
    Kernels(Box<Kernels>),
    Device(Box<engine::Vision>),
}

/// The tower by the kernels of this library.
#[derive(Debug)]
struct Kernels {
    vision_model: VisionModel,
    visual_projection: Linear,
    dim: usize,
    /// Images that go through the tower at once.
    batch: usize,
    rooms: Rooms,
}

impl ClipVision {
    /// On `device`, or by this library's own kernels.
    pub(super) fn new(
        weights: &Weights,
        config: &Config,
        preprocess: Preprocess,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let sizes = Sizes::of_vision(weights, &config.vision, compute)?;
        let (dim, at_once) = (config.projection_dim, compute.batch_tokens);
        let batch = (at_once / config.vision.positions()).max(1);
        let (tower, batch) = match device {
            Some(device) => {
                let vision = engine::Vision::new(weights, config, &sizes, compute, device)?;
                let batch = vision.batch();
                (Tower::Device(vision.into()), batch)
            }
            None => {
                let shape = [dim, config.vision.hidden_size];
                let precision = compute.precision;
                let kernels = Kernels {
                    vision_model: VisionModel::new(weights, &config.vision, &sizes)?,
                    visual_projection: linear_of(
                        weights,
                        "visual_projection",
                        shape,
                        None,
                        precision,
                    )?,
                    dim,
                    batch,
                    rooms: Rooms::default(),
                };
                (Tower::Kernels(kernels.into()), batch)
            }
        };
        Ok(ClipVision { preprocess, tower, dim, config: config.vision.clone(), batch })
    }

    /// Height and width of the pixels that the tower takes.
    pub fn image_size(&self) -> usize {
        self.config.image_size
    }

    /// The features of pixels that are preprocessed already: images (3, height,
    /// width) one behind the other, channel by channel.
    ///
    /// # Errors
    /// [`Error::Dim`] where `pixels` is no whole number of images,
    /// [`Error::Engine`], [`Error::DeviceMemory`], [`Error::Direction`].
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<Features>> {
        let expected = self.config.pixels();
        if !pixels.len().is_multiple_of(expected) {
            let found = pixels.len();
            return Err(Error::Dim { what: "an image's pixels", expected, found });
        }
        match &self.tower {
            Tower::Kernels(tower) => tower.features(pixels, expected),
            Tower::Device(tower) => tower.features(pixels),
        }
    }
}

impl Kernels {
    /// The features of whole images of `expected` values each.
    fn features(&self, pixels: &[f32], expected: usize) -> Result<Vec<Features>> {
        let images = pixels.len() / expected;
        let batches = even(images, self.batch.min(images.div_ceil(rayon::current_num_threads())));
        let encoded = each(batches, |batch| {
            let pixels = &pixels[batch.start * expected..batch.end * expected];
            let mut rows = vec![0.0; batch.len() * self.dim];
            self.rooms.lend(|room| {
                self.vision_model.forward(room, pixels)?;
                let states = &room.normed;
                self.visual_projection.apply(states, batch.len(), &mut rows, Epilogue::default())
            })?;
            Ok(rows)
        })?;
        let rows = encoded.iter().flat_map(|rows| rows.chunks_exact(self.dim));
        rows.map(|row| Features::new(row.to_vec())).collect()
    }
}

impl ImageEncoder for ClipVision {
    fn dim(&self) -> usize {
        self.dim
    }

    fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.preprocess.prepare(picture)
    }

    fn encode_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Features>> {
        let mut features = Vec::with_capacity(pixels.len());
        for pixels in pixels.chunks(self.batch) {
            features.extend(self.features(&Pixels::joined(pixels))?);
        }
        Ok(features)
    }
}

#[derive(Debug)]
struct VisionEmbeddings {
    patch_embedding: Linear,
    /// The class token with its position added, then the positions of the
    /// patches: (1 + patches, width).
    positions: Vec<f32>,
    config: VisionConfig,
}

impl VisionEmbeddings {
    fn new(weights: &Weights, config: &VisionConfig, precision: Precision) -> Result<Self> {
        let (width, patch) = (config.hidden_size, config.patch_size);
        let name = |name| format!("vision_model.embeddings.{name}");
        let class = values(weights, &name("class_embedding"), &[width])?;
        let kernel = [width, config.num_channels, patch, patch];
        let kernel = weights.take(&name("patch_embedding.weight"), &kernel)?;
        let kernel = kernel.flatten_from(1).map_err(Error::engine("lay out a weight"))?;
        let shape = [config.positions(), width];
        let mut positions = values(weights, &name("position_embedding.weight"), &shape)?;
        positions.iter_mut().zip(class).for_each(|(position, class)| *position += class);
        let patch_embedding = Linear::new(&kernel, None, precision)?;
        Ok(VisionEmbeddings { patch_embedding, positions, config: config.clone() })
    }

    /// Pixels (images, channels, height, width) to rows (images * (1 + patches),
    /// width).
    fn forward(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let (images, width) = (pixels.len() / self.config.pixels(), self.config.hidden_size);
        let patches = images * (self.config.positions() - 1);
        let mut embedded = vec![0.0; patches * width];
        let rows = patch_rows(pixels, &self.config);
        self.patch_embedding.apply(&rows, patches, &mut embedded, Epilogue::default())?;
        let mut rows = self.positions.repeat(images);
        let per_image = embedded.len() / images.max(1);
        let images = rows.chunks_exact_mut(self.positions.len());
        for (rows, patches) in images.zip(embedded.chunks_exact(per_image.max(1))) {
            rows[width..].iter_mut().zip(patches).for_each(|(row, patch)| *row += patch);
        }
        Ok(rows)
    }
}

/// Images (channels, height, width) to one row (channels, patch, patch) a patch,
/// from left to right, from top to bottom: the order of a convolution's kernel.
pub(super) fn patch_rows(pixels: &[f32], config: &VisionConfig) -> Vec<f32> {
    let (side, patch, grid) = (config.image_size, config.patch_size, config.grid());
    let inner = config.num_channels * patch * patch;
    let mut rows = vec![0f32; pixels.len() / config.pixels() * grid * grid * inner];
    rows.par_chunks_mut(inner).enumerate().for_each(|(number, row)| {
        let (image, at) = (number / (grid * grid), number % (grid * grid));
        let (top, left) = (at / grid * patch, at % grid * patch);
        let image = &pixels[image * config.pixels()..][..config.pixels()];
        for (line, to) in row.chunks_exact_mut(patch).enumerate() {
            let (channel, y) = (line / patch, top + line % patch);
            to.copy_from_slice(&image[(channel * side + y) * side + left..][..patch]);
        }
    });
    rows
}

#[derive(Debug)]
struct VisionModel {
    embeddings: VisionEmbeddings,
    pre_layrnorm: LayerNorm, // the checkpoints' spelling
    encoder: Encoder,
    post_layernorm: LayerNorm,
}

impl VisionModel {
    fn new(weights: &Weights, config: &VisionConfig, sizes: &Sizes) -> Result<Self> {
        let norm = |name| norm(weights, name, sizes.width, sizes.eps);
        Ok(VisionModel {
            embeddings: VisionEmbeddings::new(weights, config, sizes.precision)?,
            pre_layrnorm: norm("vision_model.pre_layrnorm")?,
            encoder: Encoder::new(weights, "vision_model.encoder", sizes)?,
            post_layernorm: norm("vision_model.post_layernorm")?,
        })
    }

    /// Pixels to the states at the class tokens, (images, width), as `normed` of
    /// `room`.
    fn forward(&self, room: &mut Room, pixels: &[f32]) -> Result<()> {
        let config = &self.embeddings.config;
        let embedded = self.embeddings.forward(pixels)?;
        room.width = config.hidden_size;
        room.rows.resize(embedded.len(), 0.0);
        self.pre_layrnorm.apply(&embedded, &mut room.rows)?;
        let images = pixels.len() / config.pixels();
        let class = (0..images).map(|image| (image * config.positions()) as u32);
        self.encoder.forward(room, &Scope::Images(images), &class.collect::<Vec<_>>())?;
        room.normed.resize(room.rows.len(), 0.0);
        self.post_layernorm.apply(&room.rows, &mut room.normed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_lie_channel_by_channel_from_left_to_right() {
        let config = VisionConfig { image_size: 5, patch_size: 2, ..VisionConfig::default() };
        let pixels: Vec<f32> = (0..75).map(|value| value as f32).collect();
        let rows = patch_rows(&pixels, &config);
        // Four patches of 12 values: a fifth line and column fill none.
        assert_eq!(rows.len(), 48);
        assert_eq!(rows[..4], [0.0, 1.0, 5.0, 6.0]);
        assert_eq!(rows[4..8], [25.0, 26.0, 30.0, 31.0]);
        assert_eq!(rows[12..16], [2.0, 3.0, 7.0, 8.0]);
        assert_eq!(rows[24..28], [10.0, 11.0, 15.0, 16.0]);
    }
}
