//! The transformer layers of both towers, under the names of the checkpoints.
//!
//! `CLIPEncoderLayer` of transformers 5.23
//! (src/transformers/models/clip/modeling_clip.py).

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

/// Loads the layers `{prefix}.layers.0`, `{prefix}.layers.1` and so on.
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
