//! CLIP models, in the layouts of Hugging Face, OpenCLIP and OpenAI.
//!
//! [`Checkpoint::open`] checks the files without loading them. Each tower is loaded on its
//! own, as [`ClipText`] (a [`TextEncoder`](crate::encoder::TextEncoder)) and [`ClipVision`]
//! (an [`ImageEncoder`](crate::encoder::ImageEncoder)). Owns what is specific to CLIP: the
//! sizes, the names of the weights, the tokenizer, the cleaning of texts and both towers.
//! `models` finds and downloads the files.

mod checkpoint;
mod cleaning;
mod config;
mod continuations;
#[cfg(test)]
mod device_tests;
mod files;
mod fingerprint;
mod hugging_face;
mod openai;
mod padded_text_tower;
mod prefix_cache;
pub mod preprocess;
mod text;
mod text_layers;
mod text_tower;
mod tokenizer;
mod vision;

pub use checkpoint::Checkpoint;
pub use cleaning::TextCleaning;
pub use config::{Config, TextAttention, TextConfig, TextParts};
pub(crate) use openai::check_config as check_open_clip_config;
pub use text::ClipText;
pub use vision::ClipVision;
