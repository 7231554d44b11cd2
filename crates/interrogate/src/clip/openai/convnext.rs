//! The sizes of timm's ConvNeXt, from the shapes of its weights and open_clip_config.json.

use std::path::Path;

use super::config::OpenClipConfig;
use super::sizes::Shapes;
use crate::vision::{ConvNextConfig, ConvNextProjection};
use crate::weights::Weights;
use crate::{Error, Result};

/// The epsilon of the norms, and that of `convnext_xxlarge` (timm/models/convnext.py).
const EPS: f64 = 1e-6;
const XXLARGE_EPS: f64 = 1e-5;

/// open_clip's default size of an image.
const IMAGE_SIZE: usize = 224;

/// A variant of ConvNeXt, by its number in [`NAMES`](Self::NAMES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConvNextModel(usize);

impl ConvNextModel {
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

    /// Returns the variant that timm calls `name`, if it is supported.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(ConvNextModel)
    }

    fn norm_eps(self) -> f64 {
        if Self::NAMES[self.0] == "convnext_xxlarge" { XXLARGE_EPS } else { EPS }
    }

    /// Returns the sizes of the tower: of the shapes of `weights`, and of `config`, the file at
    /// `path`, which alone has the size of an image.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for weights of another tower, and for a pooling or a projection that is
    /// not theirs.
    pub(super) fn sizes(
        self,
        path: &Path,
        config: &OpenClipConfig,
        weights: &Weights,
    ) -> Result<ConvNextConfig> {
        let shapes = Shapes { weights, model: "a ConvNeXt", tower: "visual.trunk" };
        let (mut depths, mut dims) = ([0; 4], [0; 4]);
        for (stage, (depth, dim)) in depths.iter_mut().zip(&mut dims).enumerate() {
            let blocks = format!("stages.{stage}.blocks.");
            *depth = shapes.count(&blocks);
            [*dim, ..] = shapes.of::<4>(&format!("{blocks}0.conv_dw.weight"))?;
        }
        let has = |name: &str| weights.contains(&format!("visual.head.{name}"));
        let (projection, stored) = if has("mlp.fc1.weight") {
            (ConvNextProjection::Mlp { bias: has("mlp.fc2.bias") }, "mlp")
        } else {
            (ConvNextProjection::Linear { bias: has("proj.bias") }, "linear")
        };
        let vision_cfg = config.vision();
        // An empty name is timm's own pooling, which is the mean.
        let pool = vision_cfg.timm_pool.as_deref().unwrap_or("avg");
        if !matches!(pool, "" | "avg") {
            return Err(Error::mismatch(path, "vision_cfg.timm_pool", "avg", pool));
        }
        let found = vision_cfg.timm_proj.as_deref().unwrap_or("linear");
        if found != stored {
            let expected = format!("{stored} as in the weights");
            return Err(Error::mismatch(path, "vision_cfg.timm_proj", expected, found));
        }
        let image_size = vision_cfg.image_size.unwrap_or(IMAGE_SIZE);
        Ok(ConvNextConfig { image_size, depths, dims, norm_eps: self.norm_eps(), projection })
    }
}
