//! The image tower on a device.

use candle_core::{Device, Result, Tensor};

use super::super::config::{Config, VisionConfig};
use super::super::layer::{Sizes, values};
use super::super::vision::patch_rows;
use super::layers::{Layers, Scope};
use crate::encoder::Features;
use crate::nn::Compute;
use crate::nn::engine::{COPY, Dense, MORE, Norm, norm};
use crate::rank::device::halving;
use crate::weights::Weights;
use crate::{Error, Result as Checked};

/// CLIP's image tower on a device.
#[derive(Debug)]
pub(in crate::clip) struct Vision {
    device: Device,
    patch_embedding: Dense,
    /// The class token with its position (1, width).
    class: Tensor,
    /// The positions of the patches (patches, width).
    positions: Tensor,
    pre_layrnorm: Norm, // the checkpoints' spelling
    layers: Layers,
    post_layernorm: Norm,
    visual_projection: Dense,
    config: VisionConfig,
    batch: usize,
}

impl Vision {
    pub(in crate::clip) fn new(
        weights: &Weights,
        config: &Config,
        sizes: &Sizes,
        compute: &Compute,
        device: &Device,
    ) -> Checked<Self> {
        let (vision, dim) = (&config.vision, config.projection_dim);
        let (width, patch) = (vision.hidden_size, vision.patch_size);
        let name = |name| format!("vision_model.embeddings.{name}");
        let class = values(weights, &name("class_embedding"), &[width])?;
        let kernel = [width, vision.num_channels, patch, patch];
        let kernel = weights.take(&name("patch_embedding.weight"), &kernel)?;
        let kernel = kernel.flatten_from(1).map_err(Error::engine("lay out a weight"))?;
        let shape = [vision.positions(), width];
        let mut positions = values(weights, &name("position_embedding.weight"), &shape)?;
        positions.iter_mut().zip(class).for_each(|(position, class)| *position += class);
        let positions = Tensor::from_vec(positions, &shape, device).map_err(Error::engine(COPY))?;
        let narrow = |from, count| positions.narrow(0, from, count).map_err(Error::engine(COPY));
        let dense = |weight: &Tensor| {
            Dense::new(weight, None, compute.precision, device).map_err(Error::engine(COPY))
        };
        let norm = |name| norm(weights, name, width, sizes.eps, device);
        Ok(Vision {
            device: device.clone(),
            patch_embedding: dense(&kernel)?,
            class: narrow(0, 1)?,
            positions: narrow(1, vision.positions() - 1)?,
            pre_layrnorm: norm("vision_model.pre_layrnorm")?,
            layers: Layers::new(weights, "vision_model.encoder", sizes, device)?,
            post_layernorm: norm("vision_model.post_layernorm")?,
            visual_projection: dense(&weights.take("visual_projection.weight", &[dim, width])?)?,
            config: vision.clone(),
            batch: (compute.batch_tokens.saturating_mul(MORE) / vision.positions()).max(1),
        })
    }

    /// Images that go through at once, where memory is for them.
    pub(in crate::clip) fn batch(&self) -> usize {
        self.batch
    }

    /// The features of whole images (channels, height, width), one behind the other.
    pub(in crate::clip) fn features(&self, pixels: &[f32]) -> Checked<Vec<Features>> {
        let of_image = self.config.pixels();
        let images = pixels.len() / of_image;
        let encoded = halving("encoding images", images, self.batch, |part| {
            self.encode(&pixels[part.start * of_image..part.end * of_image])
        })?;
        encoded.into_iter().flatten().map(Features::new).collect()
    }

    fn encode(&self, pixels: &[f32]) -> Result<Vec<Vec<f32>>> {
        let (images, width) = (pixels.len() / self.config.pixels(), self.config.hidden_size);
        let (positions, rows) = (self.config.positions(), patch_rows(pixels, &self.config));
        let patches = images * (positions - 1);
        let rows = Tensor::from_vec(rows, (patches, pixels_of(&self.config)), &self.device)?;
        let embedded = self.patch_embedding.forward(&rows)?;
        let embedded = embedded.reshape((images, positions - 1, width))?;
        let embedded = embedded.broadcast_add(&self.positions)?;
        let class = self.class.broadcast_as((images, 1, width))?;
        let rows = Tensor::cat(&[&class.contiguous()?, &embedded], 1)?;
        let rows = self.pre_layrnorm.forward(&rows.reshape((images * positions, width))?)?;
        let read: Vec<u32> = (0..images).map(|image| (image * positions) as u32).collect();
        let read = Tensor::new(&read[..], &self.device)?;
        let states = self.layers.forward(rows, &Scope::Images(images), &read)?;
        let rows = self.visual_projection.forward(&self.post_layernorm.forward(&states)?)?;
        rows.to_vec2()
    }
}

/// Values of a patch.
fn pixels_of(config: &VisionConfig) -> usize {
    config.num_channels * config.patch_size * config.patch_size
}
