//! CLIP, any of the family, from a folder in Hugging Face layout.
//!
//! [`Checkpoint::open`] checks a folder without loading it; each tower is loaded
//! on its own, as [`ClipText`] (a [`TextEncoder`](crate::encoder::TextEncoder))
//! and [`ClipVision`] (an [`ImageEncoder`](crate::encoder::ImageEncoder)). Owns
//! what is CLIP's: the sizes, the names of the weights, the tokenizer and both
//! towers. Where a folder comes from is for `models`.

mod activation;
mod attention;
mod checkpoint;
mod config;
mod fingerprint;
mod layer;
mod legacy;
mod linear;
mod names;
pub mod preprocess;
mod text;
mod tokenizer;
mod vision;

pub use checkpoint::Checkpoint;
pub use config::{Config, TextConfig, VisionConfig};
pub use text::ClipText;
pub use vision::ClipVision;
