//! The image tower on a device.

use candle_core::{Device, Result, Tensor};

use super::super::super::vision::{Config, unfold};
use super::Weights;
use crate::Result as Checked;
use crate::nn::Activation;
use crate::nn::attention::Heads;
use crate::nn::engine::{COPY, Dense, Norm, groups};

/// The tower.
#[derive(Debug)]
pub(super) struct Vision {
    config: Config,
    device: Device,
    patch: Dense,
    /// The class embedding plus its position, (1, dim).
    class: Tensor,
    /// (patches, dim).
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
}

#[derive(Debug)]
struct Layer {
    norm1: Norm,
    qkv: Dense,
    projection: Dense,
    norm2: Norm,
    fc1: Dense,
    fc2: Dense,
}

impl Vision {
    /// Takes the weights under `vision_model`.
    pub(super) fn load(weights: &Weights<'_>, config: Config) -> Checked<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let at = |name: &str| format!("vision_model.{name}");
        let side = config.patch_size;
        let shape = [dim, 3, side, side];
        let patch = weights.checkpoint.values(&at("embeddings.patch_embedding.weight"), &shape)?;
        let bias = weights.checkpoint.values(&at("embeddings.patch_embedding.bias"), &[dim])?;
        let patch = weights.dense_of(patch, [dim, 3 * side * side], Some(bias))?;
        let places = config.places();
        let class = at("embeddings.class_embedding");
        let mut class = weights.checkpoint.values(&class, &[1, 1, dim])?;
        let positions = at("embeddings.position_embedding");
        let mut positions = weights.checkpoint.values(&positions, &[1, places, dim])?;
        class.iter_mut().zip(positions.drain(..dim)).for_each(|(c, p)| *c += p);
        let copied = |values: Vec<f32>| {
            let rows = values.len() / dim;
            let tensor = Tensor::from_vec(values, (rows, dim), weights.device);
            tensor.map_err(crate::Error::engine(COPY))
        };
        let layers = (0..config.num_hidden_layers).map(|number| {
            let at = |name: &str| format!("vision_model.encoder.layers.{number}.{name}");
            let wide = config.intermediate_size;
            Ok(Layer {
                norm1: weights.norm(&at("layer_norm1"), dim, eps)?,
                qkv: weights.dense(&at("self_attn.qkv"), 3 * dim, dim, config.qkv_bias)?,
                projection: weights.dense(&at("self_attn.projection"), dim, dim, true)?,
                norm2: weights.norm(&at("layer_norm2"), dim, eps)?,
                fc1: weights.dense(&at("mlp.fc1"), wide, dim, true)?,
                fc2: weights.dense(&at("mlp.fc2"), dim, wide, true)?,
            })
        });
        Ok(Vision {
            layers: layers.collect::<Checked<_>>()?,
            norm: weights.norm(&at("post_layernorm"), dim, eps)?,
            class: copied(class)?,
            positions: copied(positions)?,
            device: weights.device.clone(),
            patch,
            config,
        })
    }

    /// Values of an image.
    pub(super) fn pixels(&self) -> usize {
        3 * self.config.image_size * self.config.image_size
    }

    pub(super) fn places(&self) -> usize {
        self.config.places()
    }

    /// The states (images * places, dim) of whole images' pixels.
    pub(super) fn forward(&self, pixels: &[f32]) -> Result<Tensor> {
        let (images, dim) = (pixels.len() / self.pixels(), self.config.hidden_size);
        let (places, side) = (self.config.places(), self.config.patch_size);
        let shape = (images * (places - 1), 3 * side * side);
        let rows = unfold(&self.config, pixels).into_values();
        let patches = self.patch.forward(&Tensor::from_vec(rows, shape, &self.device)?)?;
        let patches = patches.reshape((images, places - 1, dim))?;
        let patches = patches.broadcast_add(&self.positions)?;
        let class = self.class.broadcast_as((images, 1, dim))?.contiguous()?;
        let mut states = Tensor::cat(&[&class, &patches], 1)?.reshape((images * places, dim))?;
        let heads = Heads::scaled(self.config.num_attention_heads, dim);
        for layer in &self.layers {
            let qkv = layer.qkv.forward(&layer.norm1.forward(&states)?)?;
            let part = |number| qkv.narrow(1, number * dim, dim)?.contiguous();
            let seen = groups(heads, images, [&part(0)?, &part(1)?, &part(2)?], None)?;
            states = layer.projection.forward_with(&seen, Activation::None, Some(&states))?;
            let normed = layer.norm2.forward(&states)?;
            let wide = layer.fc1.forward_with(&normed, self.config.hidden_act, None)?;
            states = layer.fc2.forward_with(&wide, Activation::None, Some(&states))?;
        }
        self.norm.forward(&states)
    }
}
