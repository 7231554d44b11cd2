//! The sizes of a ConvNeXt, from the shapes of its weights and open_clip_config.json.

use std::path::Path;

use super::config::RawVision;
use super::sizes::Shapes;
use crate::vision::{ConvNextConfig, ConvNextProjection};
use crate::weights::Weights;
use crate::{Error, Result};

/// The first weight of the first block; no other tower has it.
const FIRST: &str = "visual.trunk.stages.0.blocks.0.conv_dw.weight";

/// timm's names of the supported variants. Its other variants have other parts: a stem that
/// overlaps, products as convolutions, norms over whole maps.
const NAMES: [&str; 6] = [
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "convnext_xlarge",
    "convnext_xxlarge",
];

/// The epsilon of the norms, and that of `convnext_xxlarge` (timm/models/convnext.py).
const EPS: f64 = 1e-6;
const XXLARGE_EPS: f64 = 1e-5;

/// open_clip's default size of an image.
const IMAGE_SIZE: usize = 224;

/// Returns whether the image tower is a ConvNeXt.
pub(super) fn is_tower(weights: &Weights) -> bool {
    weights.contains(FIRST)
}

/// Reads the sizes from the shapes. The size of an image and the epsilon follow from no shape,
/// and have their defaults.
///
/// # Errors
/// [`Error::Mismatch`] if they are not those of the tower.
pub(super) fn sizes(weights: &Weights) -> Result<ConvNextConfig> {
    let shapes = Shapes(weights);
    let (mut depths, mut dims) = ([0; 4], [0; 4]);
    for (stage, (depth, dim)) in depths.iter_mut().zip(&mut dims).enumerate() {
        let blocks = format!("visual.trunk.stages.{stage}.blocks.");
        *depth = shapes.count(&blocks);
        [*dim, ..] = shapes.of::<4>(&format!("{blocks}0.conv_dw.weight"))?;
    }
    let has = |name: &str| weights.contains(&format!("visual.head.{name}"));
    let projection = if has("mlp.fc1.weight") {
        ConvNextProjection::Mlp { bias: has("mlp.fc2.bias") }
    } else {
        ConvNextProjection::Linear { bias: has("proj.bias") }
    };
    Ok(ConvNextConfig { image_size: IMAGE_SIZE, depths, dims, norm_eps: EPS, projection })
}

impl RawVision {
    /// Completes the sizes of a ConvNeXt. `path` is the file.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file and the weights differ, or for a variant or a pooling that
    /// is not supported.
    pub(super) fn apply_to_convnext(&self, path: &Path, sizes: &mut ConvNextConfig) -> Result<()> {
        let name = self.timm_model_name.as_deref().unwrap_or("none");
        if !NAMES.contains(&name) {
            let expected = NAMES.join(", ");
            return Err(Error::mismatch(path, "vision_cfg.timm_model_name", expected, name));
        }
        if name == "convnext_xxlarge" {
            sizes.norm_eps = XXLARGE_EPS;
        }
        // An empty name is timm's own pooling, which is the mean.
        let pool = self.timm_pool.as_deref().unwrap_or("avg");
        if !matches!(pool, "" | "avg") {
            return Err(Error::mismatch(path, "vision_cfg.timm_pool", "avg", pool));
        }
        let projection = match sizes.projection {
            ConvNextProjection::Linear { .. } => "linear",
            ConvNextProjection::Mlp { .. } => "mlp",
        };
        let found = self.timm_proj.as_deref().unwrap_or("linear");
        if found != projection {
            let expected = format!("{projection} as in the weights");
            return Err(Error::mismatch(path, "vision_cfg.timm_proj", expected, found));
        }
        sizes.image_size = self.image_size.unwrap_or(IMAGE_SIZE);
        Ok(())
    }
}
