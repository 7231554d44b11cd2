//! Image towers that open_clip takes from timm, by `timm_model_name`.

use std::path::Path;

use super::config::OpenClipConfig;
use super::sizes;
use crate::vision::{VisionConfig, VitConfig, VitParts};
use crate::weights::Weights;
use crate::{Error, Result};

/// The numbers of heads of timm's SigLIP models, by the size in their name. They follow from no
/// shape.
const SIGLIP_HEADS: [(&str, usize); 4] =
    [("vit_base_", 12), ("vit_large_", 16), ("vit_so400m_", 16), ("vit_giantopt_", 16)];

/// Beginnings of the names of timm's SigLIP models with the approximate GELU; the others have the
/// exact one (timm 1.0.31, timm/models/vision_transformer.py).
const SIGLIP_TANH: [&str; 4] = [
    "vit_base_patch32_",
    "vit_large_patch16_siglip_512",
    "vit_so400m_patch16_",
    "vit_giantopt_patch16_",
];

/// An image tower of timm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimmModel {
    /// SigLIP's vision transformer.
    Siglip { heads: usize, is_tanh: bool },
}

impl TimmModel {
    /// Parses the field `timm_model_name` of the configuration at `path`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a tower that is not supported.
    pub(super) fn parse(path: &Path, name: &str) -> Result<Self> {
        let heads = SIGLIP_HEADS.iter().find(|(start, _)| name.starts_with(start));
        if let (Some(&(_, heads)), true) = (heads, name.contains("_siglip_")) {
            let is_tanh = SIGLIP_TANH.iter().any(|start| name.starts_with(start));
            return Ok(TimmModel::Siglip { heads, is_tanh });
        }
        let expected = "vit_*_siglip_*";
        Err(Error::mismatch(path, "vision_cfg.timm_model_name", expected, name))
    }

    /// Returns the sizes of the tower: those of its architecture, and of the shapes of `weights`.
    /// `config` is the configuration at `path`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for weights of another tower.
    pub(super) fn sizes(
        self,
        path: &Path,
        config: &OpenClipConfig,
        weights: &Weights,
    ) -> Result<VisionConfig> {
        match self {
            TimmModel::Siglip { heads, is_tanh } => {
                config.check_timm(path, ["map", "none"])?;
                let hidden_act = if is_tanh { "gelu_pytorch_tanh" } else { "gelu" };
                Ok(VisionConfig::Vit(VitConfig {
                    num_attention_heads: heads,
                    hidden_act: hidden_act.into(),
                    layer_norm_eps: 1e-6,
                    ..sizes::vit(weights, VitParts::SIGLIP)?
                }))
            }
        }
    }
}
