//! CLIP, any of the family, in Hugging Face layout, OpenCLIP's or OpenAI's own.
//!
//! [`Checkpoint::open`] checks the files without loading them; each tower is loaded
//! on its own, as [`ClipText`] (a [`TextEncoder`](crate::encoder::TextEncoder))
//! and [`ClipVision`] (an [`ImageEncoder`](crate::encoder::ImageEncoder)). Owns
//! what is CLIP's: the sizes, the names of the weights, the tokenizer and both
//! towers. Where a folder comes from is for `models`.

mod chain;
mod checkpoint;
mod cleaning;
mod config;
#[cfg(test)]
mod device_tests;
mod files;
mod fingerprint;
mod layers;
mod legacy;
mod names;
mod openai;
pub mod preprocess;
mod text;
mod tokenizer;
mod vision;
mod words;

use std::path::Path;

pub use checkpoint::Checkpoint;
pub use cleaning::TextCleaning;
pub use config::{Config, TextConfig, VisionConfig};
pub use text::ClipText;
pub use vision::ClipVision;

use crate::nn::Activation;
use crate::{Error, Result};

/// The activation that `hidden_act` in the configuration of the weights at `path`
/// names: OpenAI's checkpoints have quick_gelu, OpenCLIP's and TinyCLIP gelu.
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
    fn only_two_activations_are_known() {
        let named = |name| activation(name, Path::new("config.json"));
        assert_eq!(named("quick_gelu").unwrap(), Activation::QuickGelu);
        assert_eq!(named("gelu").unwrap(), Activation::Gelu);
        let said = named("relu").unwrap_err().to_string();
        assert_eq!(said, "config.json: hidden_act: expected quick_gelu or gelu, found relu");
    }
}
