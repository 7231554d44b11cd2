//! The transformer layers of both towers, by the checkpoints' names.
//!
//! `CLIPEncoderLayer` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py).

use super::activation;
use super::config::{Config, VisionConfig};
use crate::Result;
use crate::nn::{Backend, Biases, Loader, PreNormLayers, PreNormNames, PreNormSizes, Projections};

const NAMES: PreNormNames = PreNormNames {
    norm1: "layer_norm1",
    attention: Projections::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    out: "self_attn.out_proj",
    norm2: "layer_norm2",
    fc1: "mlp.fc1",
    fc2: "mlp.fc2",
};

/// The sizes of the text tower's layers; `loader` names the file in errors.
pub(super) fn text_sizes<B: Backend>(
    loader: &Loader<'_, B>,
    Config { text, .. }: &Config,
) -> Result<PreNormSizes> {
    Ok(PreNormSizes {
        width: text.hidden_size,
        inner: text.intermediate_size,
        layers: text.num_hidden_layers,
        heads: text.num_attention_heads,
        eps: text.layer_norm_eps,
        activation: activation(&text.hidden_act, loader.weights.path())?,
    })
}

/// The sizes of the image tower's layers; `loader` names the file in errors.
pub(super) fn vision_sizes<B: Backend>(
    loader: &Loader<'_, B>,
    vision: &VisionConfig,
) -> Result<PreNormSizes> {
    Ok(PreNormSizes {
        width: vision.hidden_size,
        inner: vision.intermediate_size,
        layers: vision.num_hidden_layers,
        heads: vision.num_attention_heads,
        eps: vision.layer_norm_eps,
        activation: activation(&vision.hidden_act, loader.weights.path())?,
    })
}

/// The layers `{prefix}.layers.0` and on.
pub(super) fn load<B: Backend>(
    loader: &Loader<'_, B>,
    prefix: &str,
    sizes: &PreNormSizes,
) -> Result<PreNormLayers<B>> {
    PreNormLayers::new(sizes, |number| {
        let at = |name: &str| format!("{prefix}.layers.{number}.{name}");
        loader.pre_norm(sizes, &NAMES, at, Biases::all(true))
    })
}
