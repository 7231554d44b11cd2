//! Image towers: pixels to one row per image.
//!
//! Owns the architectures that CLIP-like models and taggers share. A tower is written once over
//! a [`Backend`](crate::nn::Backend) ([`ImageTower`]); [`VisionConfig`] has its sizes, the names
//! and shapes of its weights, and loads it; [`Tower`] runs it in batches. What a row means, and
//! the layouts of checkpoints, are the business of the models: `clip`.

mod attention_pool;
mod config;
mod timm_names;
mod tower;
mod vit;
mod vit_config;

pub use config::VisionConfig;
pub(crate) use timm_names::timm_vit_views;
pub(crate) use tower::Tower;
pub use vit_config::{Head, Pooling, VitConfig, VitParts};
