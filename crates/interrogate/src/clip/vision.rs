//! The image tower: pixels to features.
//!
//! Follows `CLIPVisionModel` and the image half of `CLIPModel` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py). Patches do not overlap, so their
//! convolution is a matrix product over patches laid out as rows. `picture` decodes, resizes
//! and crops.

use std::fmt::Debug;

use super::config::{Config, VisionConfig};
use super::{activation, layers};
use crate::encoder::{Features, ImageEncoder};
#[cfg(doc)]
use crate::error::DeviceError;
use crate::error::RowsError;
use crate::nn::{
    Backend, Compute, Cpu, Epilogue, Gpu, Kv, Loader, PatchEmbedding, Patches, PreNormLayers,
    PreNormSizes, Readout, Scope, Workspace,
};
use crate::picture::{Picture, Pixels, Preprocess};
use crate::weights::Weights;
use crate::{Error, Result};

/// Batches per call of a tower on a device: one is computed, one is queued, and one is prepared or
/// copied back.
const DEVICE_BATCHES: usize = 3;

/// CLIP's image tower with its preprocessing.
#[derive(Debug)]
pub struct ClipVision {
    preprocess: Preprocess,
    tower: Box<dyn Tower>,
    dim: usize,
    patches: Patches,
    /// The number of batches per call of the tower: a device computes a few at a time.
    batches: usize,
}

/// The image tower on any backend.
trait Tower: Debug + Send + Sync {
    /// Returns the number of images per batch.
    fn batch(&self) -> usize;

    /// Returns the features of images (channels, height, width).
    fn features(&self, pixels: &[f32]) -> Result<Vec<Features>>;
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
        let precision = compute.precision_for(weights.is_mostly_f16());
        let tower: Box<dyn Tower> = match device {
            Some(device) => {
                Box::new(VisionTower::load(weights, config, compute, Gpu::new(device, precision))?)
            }
            None => Box::new(VisionTower::load(weights, config, compute, Cpu::new(precision))?),
        };
        let (dim, patches) = (config.projection_dim, patches(&config.vision));
        let batches = if device.is_some() { DEVICE_BATCHES } else { 1 };
        Ok(ClipVision { preprocess, tower, dim, patches, batches })
    }

    /// Returns the height and width of the tower's input in pixels.
    pub fn image_size(&self) -> usize {
        self.patches.image
    }

    /// Returns the features of preprocessed images, (images, 3, height, width).
    ///
    /// # Errors
    /// [`RowsError::Dim`] if `pixels` is not a whole number of images, [`DeviceError::Tensors`],
    /// [`DeviceError::OutOfMemory`], [`RowsError::Direction`].
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<Features>> {
        let expected = self.patches.pixels();
        if !pixels.len().is_multiple_of(expected) {
            let found = pixels.len();
            return Err(Error::Rows(RowsError::Dim { what: "an image's pixels", expected, found }));
        }
        self.tower.features(pixels)
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
        for pixels in pixels.chunks(self.tower.batch() * self.batches) {
            features.extend(self.features(&Pixels::joined(pixels))?);
        }
        Ok(features)
    }
}

/// The tower over one backend.
#[derive(Debug)]
struct VisionTower<B: Backend> {
    backend: B,
    embeddings: PatchEmbedding<B>,
    pre_layrnorm: B::Norm, // the checkpoints' spelling
    layers: PreNormLayers<B>,
    post_layernorm: B::Norm,
    visual_projection: B::Linear,
    dim: usize,
    /// The number of images per batch.
    batch: usize,
}

impl<B: Backend> VisionTower<B> {
    fn load(weights: &Weights, config: &Config, compute: &Compute, backend: B) -> Result<Self> {
        let loader = Loader::new(weights, &backend);
        let vision = &config.vision;
        let sizes = PreNormSizes {
            width: vision.hidden_size,
            inner: vision.intermediate_size,
            layers: vision.num_hidden_layers,
            heads: vision.num_attention_heads,
            eps: vision.layer_norm_eps,
            activation: activation(&vision.hidden_act, weights.path())?,
        };
        let (patches, width, dim) = (patches(vision), sizes.width, config.projection_dim);
        let at = |name: &str| format!("vision_model.{name}");
        let class_embedding = loader.values(&at("embeddings.class_embedding"), &[width])?;
        let patch_embedding = [width, patches.channels, patches.patch];
        let positions = [vision.positions(), width];
        let norm = |name: &str| loader.layer_norm(&at(name), width, sizes.eps);
        Ok(VisionTower {
            embeddings: PatchEmbedding {
                patches,
                patch_embedding: loader.patch_embedding(
                    &at("embeddings.patch_embedding"),
                    patch_embedding,
                    false,
                )?,
                class_embedding: backend.upload(class_embedding, width)?,
                position_embedding: loader
                    .rows(&at("embeddings.position_embedding.weight"), &positions)?,
            },
            pre_layrnorm: norm("pre_layrnorm")?,
            layers: layers::load(&loader, "vision_model.encoder", &sizes)?,
            post_layernorm: norm("post_layernorm")?,
            visual_projection: loader.linear_no_bias("visual_projection", [dim, width])?,
            dim,
            batch: (backend.batch_tokens(compute.batch_tokens) / vision.positions()).max(1),
            backend,
        })
    }

    /// Returns the rows (images, dim) of a batch.
    fn forward(&self, work: &mut Workspace<B>, pixels: &[f32]) -> Result<Vec<f32>> {
        let backend = &self.backend;
        let images = self.embeddings.forward(backend, work, pixels)?;
        backend.normalize(&self.pre_layrnorm, &work.rows, &mut work.next)?;
        std::mem::swap(&mut work.rows, &mut work.next);
        let positions = 1 + self.embeddings.patches.count();
        let class = (0..images).map(|image| (image * positions) as u32);
        let class = Readout::groups(backend, images, &class.collect::<Vec<_>>())?;
        let scope = backend.scope(Scope::Groups(images))?;
        self.layers.forward(backend, work, &scope, &mut Kv::None, Some(&class))?;
        let Workspace { rows, normed, .. } = work;
        backend.normalize(&self.post_layernorm, rows, normed)?;
        let mut features = B::Rows::default();
        backend.apply(&self.visual_projection, normed, Epilogue::none(), &mut features)?;
        backend.download(features)
    }
}

impl<B: Backend> Tower for VisionTower<B> {
    fn batch(&self) -> usize {
        self.batch
    }

    fn features(&self, pixels: &[f32]) -> Result<Vec<Features>> {
        let size = self.embeddings.patches.pixels();
        let batches = self.backend.batches(pixels.len() / size, self.batch);
        let encoded = self.backend.each("encoding images", batches, |work, images| {
            self.forward(work, &pixels[images.start * size..images.end * size])
        })?;
        let rows = encoded.iter().flat_map(|rows| rows.chunks_exact(self.dim));
        rows.map(|row| Features::new(row.to_vec())).collect()
    }
}

fn patches(config: &VisionConfig) -> Patches {
    Patches { channels: config.num_channels, image: config.image_size, patch: config.patch_size }
}
