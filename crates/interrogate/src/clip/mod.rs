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
mod layers;
mod names;
mod openai;
mod prefix_cache;
pub mod preprocess;
mod text;
mod text_tower;
mod tokenizer;
mod vision;

use std::path::Path;

pub use checkpoint::Checkpoint;
pub use cleaning::TextCleaning;
pub use config::{Config, TextConfig, VisionConfig};
pub(crate) use openai::check_config as check_open_clip_config;
pub use text::ClipText;
pub use vision::ClipVision;

use crate::nn::Activation;
use crate::{Error, Result};

/// Returns the activation that `hidden_act` names in the configuration of the weights at
/// `path`: quick_gelu for OpenAI's checkpoints, gelu for OpenCLIP's and TinyCLIP.
fn activation(name: &str, path: &Path) -> Result<Activation> {
    match name {
        "quick_gelu" => Ok(Activation::QuickGelu),
        "gelu" => Ok(Activation::Gelu),
        _ => Err(Error::mismatch(path, "hidden_act", "quick_gelu or gelu", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_gelu_and_gelu_are_supported() {
        let parse = |name| activation(name, Path::new("config.json"));
        assert_eq!(parse("quick_gelu").unwrap(), Activation::QuickGelu);
        assert_eq!(parse("gelu").unwrap(), Activation::Gelu);
        let message = parse("relu").unwrap_err().to_string();
        assert_eq!(message, "config.json: hidden_act: expected quick_gelu or gelu, found relu");
    }
}
