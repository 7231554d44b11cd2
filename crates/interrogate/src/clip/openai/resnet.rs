//! The sizes of CLIP's ResNet, from the shapes of its weights and open_clip_config.json.

use std::path::Path;

use super::config::{LayerCount, RawVision, same_as_weights};
use super::sizes::{HEAD_WIDTH, Shapes};
use crate::Result;
#[cfg(doc)]
use crate::error::Error;
use crate::vision::ResNetConfig;
use crate::weights::Weights;

/// The first weight of the first stage; no other tower has it.
const FIRST: &str = "visual.layer1.0.conv1.weight";

/// How much smaller than the image the maps of the attention pool are.
const DOWNSAMPLING: usize = 32;

/// Channels of these maps for each channel of the first stage.
const POOL_WIDTH: usize = 32;

/// Returns whether the image tower is a ResNet.
pub(super) fn is_tower(weights: &Weights) -> bool {
    weights.contains(FIRST)
}

/// Reads the sizes from the shapes (clip/model.py, `build_model`).
///
/// # Errors
/// [`Error::Mismatch`] if they are not those of the tower.
pub(super) fn sizes(weights: &Weights) -> Result<ResNetConfig> {
    let shapes = Shapes { weights, model: "a ResNet", tower: "visual" };
    let [width, ..] = shapes.of::<4>("layer1.0.conv1.weight")?;
    let grid = shapes.grid("attnpool.positional_embedding", true)?;
    Ok(ResNetConfig {
        image_size: grid.saturating_mul(DOWNSAMPLING),
        layers: [1, 2, 3, 4].map(|stage| shapes.count(&format!("layer{stage}."))),
        width,
        heads: heads(width, HEAD_WIDTH),
    })
}

impl RawVision {
    /// Completes the sizes of a ResNet. `path` is the file.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file and the weights differ.
    pub(super) fn apply_to_resnet(&self, path: &Path, sizes: &mut ResNetConfig) -> Result<()> {
        LayerCount::Stages(sizes.layers).check(path, self.layers)?;
        same_as_weights(
            path,
            [
                ("vision_cfg.image_size", &self.image_size, sizes.image_size),
                ("vision_cfg.width", &self.width, sizes.width),
            ],
        )?;
        sizes.heads = heads(sizes.width, self.head_width.unwrap_or(HEAD_WIDTH));
        Ok(())
    }
}

/// Returns the heads of the attention pool; 0 for a width that is invalid.
fn heads(width: usize, head_width: usize) -> usize {
    width.saturating_mul(POOL_WIDTH).checked_div(head_width).unwrap_or(0)
}
