//! The image tower: pixels to features.
//!
//! Follows `CLIPVisionModel` and the image half of `CLIPModel` of transformers
//! 5.23 (src/transformers/models/clip/modeling_clip.py). The convolution over
//! patches that do not overlap is a product over patches laid out as rows.
//! Decoding, resizing and cropping are for `picture`.

use candle_core::{Device, Tensor};
use candle_nn::{LayerNorm, Module};
use rayon::prelude::*;

use super::activation::Activation;
use super::attention::Scope;
use super::config::{Config, VisionConfig};
use super::layer::{Encoder, Readout, Sizes, linear, norm};
use super::linear::Linear;
use crate::encoder::{Features, ImageEncoder};
use crate::picture::{Picture, Preprocess};
use crate::weights::Weights;
use crate::{Error, Result};

/// Rows (patches and class tokens) that go through the tower at once.
const BATCH: usize = 2048;

/// CLIP's image tower with its preprocessing.
#[derive(Debug)]
pub struct ClipVision {
    preprocess: Preprocess,
    vision_model: VisionModel,
    visual_projection: Linear,
    dim: usize,
    config: VisionConfig,
}

impl ClipVision {
    pub(super) fn new(weights: &Weights, config: &Config, preprocess: Preprocess) -> Result<Self> {
        let (dim, width) = (config.projection_dim, config.vision.hidden_size);
        Ok(ClipVision {
            preprocess,
            vision_model: VisionModel::new(weights, &config.vision)?,
            visual_projection: linear(weights, "visual_projection", [dim, width], false)?,
            dim,
            config: config.vision.clone(),
        })
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
    /// [`Error::Engine`], [`Error::Direction`].
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<Features>> {
        let expected = self.config.pixels();
        if !pixels.len().is_multiple_of(expected) {
            let found = pixels.len();
            return Err(Error::Dim { what: "an image's pixels", expected, found });
        }
        let batch = (BATCH / self.config.positions()).max(1);
        let mut features = Vec::with_capacity(pixels.len() / expected);
        for pixels in pixels.chunks(batch * expected) {
            let rows = self.forward(pixels).map_err(Error::engine("embed images"))?;
            for row in rows {
                features.push(Features::new(row)?);
            }
        }
        Ok(features)
    }

    fn forward(&self, pixels: &[f32]) -> candle_core::Result<Vec<Vec<f32>>> {
        let rows = self.vision_model.forward(pixels)?;
        self.visual_projection.forward(&rows)?.to_vec2()
    }
}

impl ImageEncoder for ClipVision {
    fn dim(&self) -> usize {
        self.dim
    }

    fn encode(&self, pictures: &[Picture]) -> Result<Vec<Features>> {
        let batch = (BATCH / self.config.positions()).max(1);
        let mut features = Vec::with_capacity(pictures.len());
        for pictures in pictures.chunks(batch) {
            let pixels = pictures.par_iter().map(|picture| self.preprocess.pixels(picture));
            let pixels: Vec<Vec<f32>> = pixels.collect::<Result<_>>()?;
            features.extend(self.features(&pixels.concat())?);
        }
        Ok(features)
    }
}

#[derive(Debug)]
struct VisionEmbeddings {
    /// The class token with its position added (1, width).
    class: Tensor,
    patch_embedding: Linear,
    /// Positions of the patches (patches, width).
    positions: Tensor,
    config: VisionConfig,
}

impl VisionEmbeddings {
    fn new(weights: &Weights, prefix: &str, config: &VisionConfig) -> Result<Self> {
        let (width, patch) = (config.hidden_size, config.patch_size);
        let take = |name, shape: &[usize]| weights.take(&format!("{prefix}.{name}"), shape);
        let class = take("class_embedding", &[width])?;
        let kernel = [width, config.num_channels, patch, patch];
        let kernel = take("patch_embedding.weight", &kernel)?;
        let positions = take("position_embedding.weight", &[config.positions(), width])?;
        let new = || {
            Ok(VisionEmbeddings {
                class: (class.unsqueeze(0)? + positions.narrow(0, 0, 1)?)?,
                patch_embedding: Linear::new(&kernel.flatten_from(1)?, None)?,
                positions: positions.narrow(0, 1, config.positions() - 1)?,
                config: config.clone(),
            })
        };
        new().map_err(Error::engine("lay out a weight"))
    }

    /// Pixels (images, channels, height, width) flat to rows (images, 1 +
    /// patches, width).
    fn forward(&self, pixels: &[f32]) -> candle_core::Result<Tensor> {
        let images = pixels.len() / self.config.pixels();
        let patches = self.config.positions() - 1;
        let rows = patch_rows(pixels, &self.config);
        let inner = rows.len() / (images * patches).max(1);
        let rows = Tensor::from_vec(rows, (images * patches, inner), &Device::Cpu)?;
        let rows = self.patch_embedding.forward(&rows)?.reshape((images, patches, ()))?;
        let rows = rows.broadcast_add(&self.positions)?;
        let class = self.class.unsqueeze(0)?;
        Tensor::cat(&[&class.repeat((images, 1, 1))?, &rows], 1)
    }
}

/// Images (channels, height, width) to one row (channels, patch, patch) a patch,
/// from left to right, from top to bottom: the order of a convolution's kernel.
fn patch_rows(pixels: &[f32], config: &VisionConfig) -> Vec<f32> {
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
    fn new(weights: &Weights, config: &VisionConfig) -> Result<Self> {
        let sizes = Sizes {
            width: config.hidden_size,
            inner: config.intermediate_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: Activation::named(&config.hidden_act, weights.path())?,
        };
        let norm = |name| norm(weights, name, sizes.width, sizes.eps);
        Ok(VisionModel {
            embeddings: VisionEmbeddings::new(weights, "vision_model.embeddings", config)?,
            pre_layrnorm: norm("vision_model.pre_layrnorm")?,
            encoder: Encoder::new(weights, "vision_model.encoder", &sizes)?,
            post_layernorm: norm("vision_model.post_layernorm")?,
        })
    }

    /// Pixels to the state at the class token (images, width).
    fn forward(&self, pixels: &[f32]) -> candle_core::Result<Tensor> {
        let xs = self.embeddings.forward(pixels)?;
        let (images, positions, _) = xs.dims3()?;
        let xs = self.pre_layrnorm.forward(&xs.flatten_to(1)?)?;
        let class: Vec<u32> = (0..images).map(|image| (image * positions) as u32).collect();
        let class = Tensor::from_vec(class, images, &Device::Cpu)?;
        let scope = Scope::Whole(images);
        let xs = self.encoder.forward(xs, scope, &Readout { rows: &class, scope })?;
        self.post_layernorm.forward(&xs)
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
