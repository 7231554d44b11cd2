//! Image towers: pixels to one row per image.
//!
//! Owns the architectures that CLIP-like models and taggers share. A tower is written once over a
//! backend (`ImageTower`); [`VisionConfig`] has its sizes, the names and shapes of its weights, and
//! loads it; `Tower` runs it in batches. What a row means, and the layouts of checkpoints, are the
//! business of the models: `clip` and `tagger`.

mod attention_pool;
mod config;
mod conv_stem;
mod convnext;
mod eva;
mod head;
mod image_tower;
mod mean_pixel;
mod resnet;
#[cfg(test)]
mod tests;
mod timm_names;
mod tower;
mod vit;
mod vit_config;

pub use config::VisionConfig;
pub use convnext::{ConvNextConfig, ConvNextProjection};
pub use eva::EvaConfig;
pub use head::Head;
pub(crate) use head::download;
use mean_pixel::mean_pixel;
pub use resnet::ResNetConfig;
pub(crate) use timm_names::timm_vit_views;
pub(crate) use tower::Tower;
pub use vit_config::{Pooling, VitConfig, VitParts};
