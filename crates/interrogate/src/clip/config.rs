//! A checkpoint's `config.json`: the sizes of both towers.
//!
//! Owns the defaults of missing fields, and the check that the sizes are valid. `names`
//! derives the weights from them.

use std::path::Path;

use serde::Deserialize;

use crate::nn::Activation;
use crate::vision::{VisionConfig, VitConfig};
use crate::{Error, Result, input, limits, sizes};

/// The sizes of both towers and of their common embedding space.
///
/// Defaults are those of `CLIPConfig`, `CLIPTextConfig` and `CLIPVisionConfig` in
/// transformers 5.23, which writes some files without the fields that have them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The width of embeddings and features.
    pub projection_dim: usize,
    /// The text tower.
    pub text: TextConfig,
    /// The image tower.
    pub vision: VisionConfig,
}

/// Sizes of the text tower, by the names of `config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the checkpoint's own names")]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub max_position_embeddings: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
    /// The end-of-text token. 2 in files older than transformers 4.31, which is wrong and
    /// ignored.
    pub eos_token_id: Option<u32>,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            eos_token_id: None,
        }
    }
}

/// The fields of config.json that are read.
#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default = "default_projection_dim")]
    projection_dim: usize,
    text_config: Option<TextConfig>,
    vision_config: Option<VitConfig>,
    // Files older than transformers 4.24 have these too; transformers prefers them to the
    // two above.
    text_config_dict: Option<TextConfig>,
    vision_config_dict: Option<VitConfig>,
}

fn default_projection_dim() -> usize {
    512
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Json`] if it cannot be parsed,
    /// [`Error::Mismatch`] for another architecture or an invalid size.
    pub fn open(path: &Path) -> Result<Self> {
        let text = input::read(path, limits::CONFIG)?;
        let file: RawConfig = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        if file.model_type.as_deref() != Some("clip") {
            let class = file.architectures.and_then(|names| names.into_iter().next());
            let found = file.model_type.or(class).unwrap_or_else(|| "none".into());
            return Err(Error::mismatch(path, "model_type", "clip", found));
        }
        let config = Config {
            projection_dim: file.projection_dim,
            text: file.text_config_dict.or(file.text_config).unwrap_or_default(),
            vision: VisionConfig::Vit(
                file.vision_config_dict.or(file.vision_config).unwrap_or_default(),
            ),
        };
        config.check(path)?;
        Ok(config)
    }

    /// Checks the sizes. The limits are several times the sizes of the largest known CLIP
    /// (bigG: 1,664 wide, 48 layers), and low enough that no product of three of them
    /// overflows.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an invalid size.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (text, dim) = (&self.text, self.projection_dim);
        let (width, heads, positions) =
            (text.hidden_size, text.num_attention_heads, text.max_position_embeddings);
        sizes::within(path, "projection_dim", dim, limits::WIDTH)?;
        sizes::within(path, "text_config.vocab_size", text.vocab_size, limits::VOCABULARY)?;
        sizes::within(path, "text_config.hidden_size", width, limits::WIDTH)?;
        let inner = (text.intermediate_size, width);
        sizes::inner(path, "text_config.intermediate_size", inner, limits::INNER)?;
        let layers = text.num_hidden_layers;
        sizes::within(path, "text_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::divides(path, "text_config.num_attention_heads", heads, width)?;
        let what = "text_config.max_position_embeddings";
        if !(2..=limits::POSITIONS).contains(&positions) {
            return Err(Error::mismatch(
                path,
                what,
                format!("2 to {}", limits::POSITIONS),
                positions,
            ));
        }
        sizes::inner(path, "projection_dim", (dim, width), limits::INNER)?;
        sizes::scores(path, what, heads, [positions; 2])?;
        Activation::of_config(&text.hidden_act, path)?;
        sizes::epsilon(path, "layer_norm_eps", text.layer_norm_eps)?;
        self.vision.check(path, dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn open(file: Value) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, file.to_string()).unwrap();
        Config::open(&path)
    }

    fn message(file: Value) -> String {
        let message = open(file).unwrap_err().to_string();
        message.rsplit_once('/').unwrap().1.to_owned()
    }

    #[test]
    fn missing_fields_have_the_defaults_of_transformers() {
        let config = open(json!({ "model_type": "clip" })).unwrap();
        assert_eq!(config.projection_dim, 512);
        assert_eq!(config.text, TextConfig::default());
        assert_eq!(config.vision, VisionConfig::Vit(VitConfig::default()));
        let config = open(json!({ "model_type": "clip", "projection_dim": 768,
            "text_config": { "hidden_size": 768, "num_attention_heads": 12, "vocab_size": 99 },
            "vision_config": { "patch_size": 14 } }));
        let config = config.unwrap();
        assert_eq!((config.text.hidden_size, config.text.intermediate_size), (768, 2048));
        assert_eq!(config.vision.positions(), 257);
    }

    #[test]
    fn the_older_dict_takes_precedence_over_the_newer_section() {
        let file = json!({ "model_type": "clip", "text_config": { "hidden_size": 64 },
            "text_config_dict": { "hidden_size": 256 }, "vision_config_dict": null,
            "vision_config": { "hidden_size": 192 } });
        let config = open(file).unwrap();
        let VisionConfig::Vit(vision) = config.vision;
        assert_eq!((config.text.hidden_size, vision.hidden_size), (256, 192));
    }

    #[test]
    fn another_architecture_is_refused() {
        let expected = "config.json: model_type: expected clip, found ";
        let bert = json!({ "model_type": "bert", "architectures": ["BertModel"] });
        assert_eq!(message(bert), format!("{expected}bert"));
        let nameless = json!({ "architectures": ["SiglipModel"] });
        assert_eq!(message(nameless), format!("{expected}SiglipModel"));
        assert_eq!(message(json!({})), format!("{expected}none"));
    }

    #[test]
    fn invalid_sizes_are_refused() {
        for (section, field, value, expected) in [
            ("text_config", "hidden_size", json!(0), "1 to 16384"),
            ("text_config", "num_attention_heads", json!(7), "a divisor of 512"),
            ("text_config", "num_attention_heads", json!(0), "a divisor of 512"),
            ("text_config", "num_hidden_layers", json!(u64::MAX), "1 to 256"),
            ("text_config", "max_position_embeddings", json!(1), "2 to 16384"),
            ("vision_config", "patch_size", json!(0), "1 to 224"),
            ("vision_config", "patch_size", json!(225), "1 to 224"),
            ("vision_config", "image_size", json!(u64::MAX), "1 to 1024"),
            ("text_config", "intermediate_size", json!(1 << 20), "1 to 8192"),
            ("vision_config", "intermediate_size", json!(1 << 20), "1 to 12288"),
            ("vision_config", "num_channels", json!(1), "3"),
            ("vision_config", "num_attention_heads", json!(5), "a divisor of 768"),
        ] {
            let file = json!({ "model_type": "clip", section: { field: value } });
            let expected =
                format!("config.json: {section}.{field}: expected {expected}, found {value}");
            assert_eq!(message(file), expected);
        }
    }

    #[test]
    fn an_unsupported_activation_or_epsilon_is_refused() {
        let file = json!({ "model_type": "clip", "vision_config": { "hidden_act": "silu" } });
        let expected =
            "config.json: hidden_act: expected gelu, gelu_new, quick_gelu or relu, found silu";
        assert_eq!(message(file), expected);
        let file = json!({ "model_type": "clip", "text_config": { "layer_norm_eps": 0.0 } });
        let expected = "config.json: layer_norm_eps: expected above 0 and below 1, found 0";
        assert_eq!(message(file), expected);
    }

    #[test]
    fn too_many_attention_scores_are_refused() {
        let expected = "at most 16777216 attention scores, found ";
        let file = json!({ "model_type": "clip", "vision_config": { "patch_size": 1 } });
        assert!(message(file).contains(expected));
        let positions = json!({ "max_position_embeddings": 4096 });
        let file = json!({ "model_type": "clip", "text_config": positions });
        assert!(message(file).contains(expected));
        let file = json!({ "model_type": "clip", "projection_dim": 16_384 });
        assert!(message(file).ends_with("projection_dim: expected 1 to 8192, found 16384"));
    }

    #[test]
    fn image_size_may_be_a_pair() {
        let file = json!({ "model_type": "clip", "vision_config": { "image_size": [224, 224] } });
        assert_eq!(open(file).unwrap().vision.image_size(), 224);
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        let file = json!({ "model_type": "clip", "text_config": { "hidden_size": -1 } });
        assert_eq!(message(file), "config.json is not the JSON expected here");
    }
}
