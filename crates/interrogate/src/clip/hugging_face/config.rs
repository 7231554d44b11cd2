//! `config.json`: the sizes of both towers.
//!
//! Owns the families that transformers names by `model_type`, with the defaults of missing
//! fields.

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clip::config::{Config, TextAttention, TextConfig, TextParts};
use crate::vision::{Head, VisionConfig, VitConfig, VitParts};
use crate::{Error, Result, input, limits, sizes};

/// The models that share CLIP's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `CLIPModel`, and `MetaClip2Model` with the same parts and another tokenizer.
    Clip,
    /// `SiglipModel`: SigLIP, and SigLIP 2 with a fixed resolution.
    Siglip,
}

/// The fields of config.json that are read.
#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    projection_dim: Option<usize>,
    text_config: Option<Map<String, Value>>,
    vision_config: Option<Map<String, Value>>,
    // Files older than transformers 4.24 have these too; transformers prefers them to the
    // two above.
    text_config_dict: Option<Map<String, Value>>,
    vision_config_dict: Option<Map<String, Value>>,
}

/// The field `projection_dim` of `CLIPConfig`.
const PROJECTION_DIM: usize = 512;

impl Family {
    /// Returns the family of a configuration.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another architecture.
    fn of(file: &RawConfig, path: &Path) -> Result<Self> {
        let found = match file.model_type.as_deref() {
            Some("clip" | "metaclip_2") => return Ok(Family::Clip),
            Some("siglip") => return Ok(Family::Siglip),
            Some("siglip2") => "siglip2, whose images have no fixed resolution (NaFlex)".into(),
            Some(other) => other.to_owned(),
            None => {
                let class = file.architectures.as_ref().and_then(|names| names.first());
                class.cloned().unwrap_or_else(|| "none".into())
            }
        };
        Err(Error::mismatch(path, "model_type", "clip, metaclip_2 or siglip", found))
    }

    /// Returns the values of missing fields: those of `CLIPTextConfig` and so on in transformers
    /// 5.23, which writes some files without the fields that have them.
    fn defaults(self) -> (TextConfig, VitConfig) {
        let (clip_text, clip_vision) = (TextConfig::default(), VitConfig::default());
        match self {
            Family::Clip => (clip_text, clip_vision),
            Family::Siglip => (
                TextConfig {
                    vocab_size: 32_000,
                    hidden_size: 768,
                    intermediate_size: 3072,
                    num_attention_heads: 12,
                    max_position_embeddings: 64,
                    hidden_act: "gelu_pytorch_tanh".into(),
                    layer_norm_eps: 1e-6,
                    parts: TextParts {
                        attention: TextAttention::Padded,
                        head: Head::BiasedProjection,
                    },
                    ..clip_text
                },
                VitConfig {
                    patch_size: 16,
                    hidden_act: "gelu_pytorch_tanh".into(),
                    layer_norm_eps: 1e-6,
                    parts: VitParts::SIGLIP,
                    ..clip_vision
                },
            ),
        }
    }
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Json`] if it cannot be parsed,
    /// [`Error::Mismatch`] for another architecture or an invalid size.
    pub fn open(path: &Path) -> Result<Self> {
        let json = |source| Error::Json { path: path.to_owned(), source };
        let text = input::read(path, limits::CONFIG)?;
        let file: RawConfig = serde_json::from_slice(&text).map_err(json)?;
        let family = Family::of(&file, path)?;
        let mut text = file.text_config_dict.or(file.text_config).unwrap_or_default();
        let mut vision = file.vision_config_dict.or(file.vision_config).unwrap_or_default();
        let mut dim = file.projection_dim.unwrap_or(PROJECTION_DIM);
        let (default_text, default_vision) = family.defaults();
        let mut projection_size = None;
        if family == Family::Siglip {
            // All published files have CLIP's token there, which SigLIP's tokenizers lack.
            text.remove("eos_token_id");
            projection_size = removed(&mut text, "projection_size").map_err(json)?;
            let use_head = removed(&mut vision, "vision_use_head").map_err(json)?;
            sizes::only(path, "vision_config.vision_use_head", use_head.as_ref(), true)?;
        }
        let (text_parts, vision_parts) = (default_text.parts, default_vision.parts);
        let text: TextConfig = overlaid(default_text, text).map_err(json)?;
        let vision: VitConfig = overlaid(default_vision, vision).map_err(json)?;
        if family == Family::Siglip {
            dim = projection_size.unwrap_or(text.hidden_size);
        }
        let config = Config {
            projection_dim: dim,
            text: TextConfig { parts: text_parts, ..text },
            vision: VisionConfig::Vit(VitConfig { parts: vision_parts, ..vision }),
        };
        config.check(path)?;
        Ok(config)
    }
}

/// Removes the field `key` of `section`. Returns its value, or `None` if it is missing or null.
fn removed<T: DeserializeOwned>(
    section: &mut Map<String, Value>,
    key: &str,
) -> serde_json::Result<Option<T>> {
    serde_json::from_value(section.remove(key).unwrap_or_default())
}

/// Replaces fields of `defaults` by those of `section`.
fn overlaid<T: Serialize + DeserializeOwned>(
    defaults: T,
    section: Map<String, Value>,
) -> serde_json::Result<T> {
    let mut fields = serde_json::to_value(defaults)?;
    if let Value::Object(fields) = &mut fields {
        fields.extend(section);
    }
    serde_json::from_value(fields)
}
