//! Image towers that open_clip takes from timm, by `timm_model_name`.

use std::path::Path;

use super::config::OpenClipConfig;
use super::convnext::ConvNextModel;
use super::sizes;
use crate::vision::{EvaConfig, Head, Pooling, VisionConfig, VitConfig, VitParts, timm_vit_views};
use crate::weights::{View, Weights};
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
    /// The vision transformer of MobileCLIP-B.
    MobileClipB,
    /// The vision transformer of PE-Core.
    PeCore(PeCore),
    /// ConvNeXt.
    ConvNext(ConvNextModel),
    /// EVA-CLIP's.
    Eva(EvaConfig),
}

/// What follows from no shape of a PE-Core (timm 1.0.31, timm/models/eva.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeCore {
    heads: usize,
    /// Patches along a side of the grid that positions are scaled to.
    grid: usize,
    class_token: bool,
}

impl PeCore {
    /// The heads of attention pooling.
    const POOL_HEADS: usize = 8;

    /// Returns the variant that timm calls `name`, if it is one.
    fn parse(name: &str) -> Option<Self> {
        let (heads, grid, class_token) = match name {
            "vit_pe_core_tiny_patch16_384" => (3, 24, true),
            "vit_pe_core_small_patch16_384" => (6, 24, true),
            "vit_pe_core_base_patch16_224" => (12, 14, true),
            "vit_pe_core_large_patch14_336" => (16, 24, true),
            "vit_pe_core_gigantic_patch14_448" => (16, 32, false),
            _ => return None,
        };
        Some(PeCore { heads, grid, class_token })
    }
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
        if name == "vit_base_mci_224" {
            return Ok(TimmModel::MobileClipB);
        }
        if let Some(model) = PeCore::parse(name) {
            return Ok(TimmModel::PeCore(model));
        }
        if let Some(model) = ConvNextModel::parse(name) {
            return Ok(TimmModel::ConvNext(model));
        }
        if let Some(sizes) = EvaConfig::named(name) {
            return Ok(TimmModel::Eva(sizes));
        }
        let expected = "vit_*_siglip_*, vit_pe_core_*, vit_base_mci_224, eva*_clip_* or \
                        convnext_{tiny,small,base,large,xlarge,xxlarge}";
        Err(Error::mismatch(path, "vision_cfg.timm_model_name", expected, name))
    }

    /// Returns the weights under which the weight `name`, of `rows` rows, is viewed; `rest` is its
    /// name in timm's model.
    pub(super) fn views(self, name: &str, rest: &str, rows: usize) -> Vec<(String, View)> {
        match self {
            TimmModel::Siglip { .. } | TimmModel::PeCore(_) | TimmModel::MobileClipB => {
                timm_vit_views(name, rest, rows)
            }
            TimmModel::ConvNext(_) => Vec::new(), // keeps its names
            TimmModel::Eva(_) => vec![(rest.to_owned(), View::of(name))],
        }
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
            TimmModel::Eva(known) => {
                config.check_timm(path, ["token", "none"])?;
                Ok(VisionConfig::Eva(known.pooling_token(true).with_sizes_of(weights, "")))
            }
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
            TimmModel::MobileClipB => {
                config.check_timm(path, ["token", "none"])?;
                let parts = VitParts {
                    conv_stem: true,
                    pre_norm: false,
                    head: Head::BiasedProjection,
                    ..VitParts::default()
                };
                Ok(VisionConfig::Vit(VitConfig {
                    num_attention_heads: 12,
                    hidden_act: "gelu".into(),
                    layer_norm_eps: 1e-6,
                    ..sizes::vit(weights, parts)?
                }))
            }
            TimmModel::PeCore(PeCore { heads, grid, class_token }) => {
                config.check_timm(path, ["map", "none"])?;
                let parts = VitParts {
                    class_token,
                    pooling: Pooling::Attention,
                    head: Head::BiasedProjection,
                    rotary_grid: Some(grid),
                    pool_heads: Some(PeCore::POOL_HEADS),
                    ..VitParts::default()
                };
                Ok(VisionConfig::Vit(VitConfig {
                    num_attention_heads: heads,
                    hidden_act: "gelu".into(),
                    layer_norm_eps: 1e-5,
                    ..sizes::vit(weights, parts)?
                }))
            }
            TimmModel::ConvNext(model) => {
                model.sizes(path, config, weights).map(VisionConfig::ConvNext)
            }
        }
    }
}
