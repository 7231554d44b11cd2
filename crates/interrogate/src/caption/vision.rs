//! The image tower: a vision transformer that gives a state a patch.
//!
//! BLIP and BLIP-2 (whose weights are EVA's ViT-g) lay it out alike, names
//! included: `modeling_blip_2.py` of transformers 5.23, `Blip2VisionModel`.

use std::path::Path;

use serde::Deserialize;

use super::attention::{self, Heads};
use super::checkpoint::Checkpoint;
use super::linear::Linear;
use super::norm::LayerNorm;
use super::states::States;
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};

/// The shape of a tower, as `vision_config` of config.json gives it. Old files
/// leave out what equals the defaults of their model, which are for `blip` and
/// `blip2` to fill in.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) image_size: usize,
    pub(super) patch_size: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
    pub(super) qkv_bias: bool,
}

/// The fields of a `vision_config`, each of which may be left out.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Written {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    image_size: Option<usize>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    patch_size: Option<usize>,
    hidden_act: Option<Activation>,
    layer_norm_eps: Option<f64>,
    qkv_bias: Option<bool>,
}

impl Config {
    /// These defaults, but for what is written.
    pub(super) fn or(self, written: Written) -> Self {
        Config {
            hidden_size: written.hidden_size.unwrap_or(self.hidden_size),
            intermediate_size: written.intermediate_size.unwrap_or(self.intermediate_size),
            num_hidden_layers: written.num_hidden_layers.unwrap_or(self.num_hidden_layers),
            num_attention_heads: written.num_attention_heads.unwrap_or(self.num_attention_heads),
            image_size: written.image_size.unwrap_or(self.image_size),
            patch_size: written.patch_size.unwrap_or(self.patch_size),
            hidden_act: written.hidden_act.unwrap_or(self.hidden_act),
            layer_norm_eps: written.layer_norm_eps.unwrap_or(self.layer_norm_eps),
            qkv_bias: written.qkv_bias.unwrap_or(self.qkv_bias),
        }
    }

    /// # Errors
    /// [`Error::Mismatch`] for sizes that do not go together.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        sizes::within(path, "vision_config.hidden_size", width, limits::WIDTH)?;
        let inner = (self.intermediate_size, width);
        sizes::inner(path, "vision_config.intermediate_size", inner, limits::INNER)?;
        let layers = self.num_hidden_layers;
        sizes::within(path, "vision_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::within(path, "vision_config.image_size", self.image_size, limits::IMAGE_SIDE)?;
        sizes::divides(path, "vision_config.num_attention_heads", heads, width)?;
        sizes::divides(path, "vision_config.patch_size", self.patch_size, self.image_size)?;
        sizes::scores(path, "vision_config.image_size", heads, [self.places(); 2])?;
        sizes::epsilon(path, "vision_config.layer_norm_eps", self.layer_norm_eps)
    }

    /// States of an image, the class's included.
    pub(super) fn places(&self) -> usize {
        self.grid() * self.grid() + 1
    }

    /// Patches along a side.
    fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

/// The tower.
#[derive(Debug)]
pub(super) struct Vision {
    config: Config,
    patch: Linear,
    /// The class embedding plus its position, (1, dim).
    class: Vec<f32>,
    /// (patches, dim).
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    projection: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Vision {
    /// Takes the weights under `vision_model`.
    ///
    /// # Errors
    /// Those of the weights.
    pub(super) fn load(weights: &Checkpoint, config: Config) -> Result<Self> {
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let at = |name: &str| format!("vision_model.{name}");
        let side = config.patch_size;
        let patch =
            weights.stored(&at("embeddings.patch_embedding.weight"), &[dim, 3, side, side])?;
        let bias = weights.values(&at("embeddings.patch_embedding.bias"), &[dim])?;
        let patch = weights.linear_of(patch, 3 * side * side, Some(bias))?;
        let places = config.places();
        let mut class = weights.values(&at("embeddings.class_embedding"), &[1, 1, dim])?;
        let mut positions =
            weights.values(&at("embeddings.position_embedding"), &[1, places, dim])?;
        class.iter_mut().zip(positions.drain(..dim)).for_each(|(c, p)| *c += p);
        let layers = (0..config.num_hidden_layers)
            .map(|number| {
                let at = |name: &str| format!("vision_model.encoder.layers.{number}.{name}");
                let wide = config.intermediate_size;
                Ok(Layer {
                    norm1: weights.layer_norm(&at("layer_norm1"), dim, eps)?,
                    qkv: weights.linear(&at("self_attn.qkv"), 3 * dim, dim, config.qkv_bias)?,
                    projection: weights.linear(&at("self_attn.projection"), dim, dim, true)?,
                    norm2: weights.layer_norm(&at("layer_norm2"), dim, eps)?,
                    fc1: weights.linear(&at("mlp.fc1"), wide, dim, true)?,
                    fc2: weights.linear(&at("mlp.fc2"), dim, wide, true)?,
                })
            })
            .collect::<Result<_>>()?;
        let norm = weights.layer_norm(&at("post_layernorm"), dim, eps)?;
        Ok(Vision { config, patch, class, positions, layers, norm })
    }

    /// States of an image, the class's included.
    pub(super) fn places(&self) -> usize {
        self.config.places()
    }

    /// The states (images * places, dim) of pixels (images, 3, height, width).
    ///
    /// # Errors
    /// [`Error::Dim`] where `pixels` is no whole number of images,
    /// [`Error::Engine`].
    pub(super) fn forward(&self, pixels: &[f32]) -> Result<States> {
        let side = self.config.image_size;
        let image = 3 * side * side;
        if !pixels.len().is_multiple_of(image) {
            return Err(Error::Dim { what: "an image", expected: image, found: pixels.len() });
        }
        let images = pixels.len() / image;
        let patches = self.patch.forward(&unfold(&self.config, pixels))?;
        let dim = self.config.hidden_size;
        let mut states = Vec::with_capacity(images * self.places() * dim);
        for patches in patches.values().chunks_exact(self.positions.len()) {
            states.extend_from_slice(&self.class);
            states.extend(patches.iter().zip(&self.positions).map(|(patch, place)| patch + place));
        }
        let mut states = States::new(dim, states);
        for layer in &self.layers {
            layer.forward(&self.config, images, &mut states)?;
        }
        Ok(self.norm.forward(&states))
    }
}

/// The values of each patch in one row, (images * patches, 3 * side * side): a
/// convolution whose stride is its size is a product with these.
pub(super) fn unfold(config: &Config, pixels: &[f32]) -> States {
    let (size, side, grid) = (config.image_size, config.patch_size, config.grid());
    let mut values = Vec::with_capacity(pixels.len());
    for image in pixels.chunks_exact(3 * size * size) {
        for (row, column) in (0..grid * grid).map(|patch| (patch / grid, patch % grid)) {
            for channel in image.chunks_exact(size * size) {
                for line in channel.chunks_exact(size).skip(row * side).take(side) {
                    values.extend_from_slice(&line[column * side..][..side]);
                }
            }
        }
    }
    States::new(3 * side * side, values)
}

impl Layer {
    fn forward(&self, config: &Config, images: usize, states: &mut States) -> Result<()> {
        let dim = config.hidden_size;
        let qkv = self.qkv.forward(&self.norm1.forward(states))?;
        let [q, k, v] = [0, 1, 2].map(|part| qkv.columns(part * dim, dim));
        let heads = Heads::scaled(config.num_attention_heads, dim);
        let seen = attention::whole(images, heads, [&q, &k, &v], None)?;
        states.add(&self.projection.forward(&seen)?);
        let wide = self.fc1.forward_with(&self.norm2.forward(states), config.hidden_act)?;
        states.add(&self.fc2.forward(&wide)?);
        Ok(())
    }
}
