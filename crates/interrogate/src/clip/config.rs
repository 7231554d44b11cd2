//! A checkpoint's `config.json`: the sizes of both towers.
//!
//! Owns the defaults of fields that a file may leave out, and the check that
//! what it says can be built. Which weights follow from it is for `names`.

use std::ops::RangeInclusive;
use std::path::Path;

use serde::Deserialize;

use super::activation;
use crate::{Error, Result, input, limits, sizes};

/// Both towers and the space they share.
///
/// Defaults are those of `CLIPConfig`, `CLIPTextConfig` and `CLIPVisionConfig`
/// in transformers 5.23, which writes only what differs into some files.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Values of an embedding and of an image's features.
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
    /// 2 in files older than transformers 4.31, where it means nothing: the
    /// tokenizer knows its end-of-text.
    pub eos_token_id: Option<u32>,
}

/// Sizes of the image tower, by the names of `config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the checkpoint's own names")]
pub struct VisionConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_channels: usize,
    #[serde(deserialize_with = "sizes::side")]
    pub image_size: usize,
    #[serde(deserialize_with = "sizes::side")]
    pub patch_size: usize,
    pub hidden_act: String,
    pub layer_norm_eps: f64,
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

impl Default for VisionConfig {
    fn default() -> Self {
        VisionConfig {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
        }
    }
}

impl VisionConfig {
    /// Patches along one side of the image; a rest that fills no patch is cut
    /// off, as a convolution with that stride does.
    pub fn grid(&self) -> usize {
        self.image_size.checked_div(self.patch_size).unwrap_or(0)
    }

    /// Positions that the tower sees: the class token and every patch.
    pub fn positions(&self) -> usize {
        self.grid() * self.grid() + 1
    }

    /// Pixels of one image, (channels, height, width) flat.
    pub fn pixels(&self) -> usize {
        self.num_channels * self.image_size * self.image_size
    }
}

/// The file as it stands.
#[derive(Deserialize)]
struct File {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    #[serde(default = "default_projection_dim")]
    projection_dim: usize,
    text_config: Option<TextConfig>,
    vision_config: Option<VisionConfig>,
    // Files older than transformers 4.24 have these beside the two above; where
    // both stand, transformers takes these.
    text_config_dict: Option<TextConfig>,
    vision_config_dict: Option<VisionConfig>,
}

fn default_projection_dim() -> usize {
    512
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, [`Error::Json`] where it does not
    /// parse, [`Error::Mismatch`] where it is another architecture's or a size
    /// cannot be.
    pub fn open(path: &Path) -> Result<Self> {
        let text = input::read(path, limits::CONFIG)?;
        let file: File = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        if file.model_type.as_deref() != Some("clip") {
            let class = file.architectures.and_then(|names| names.into_iter().next());
            let found = file.model_type.or(class).unwrap_or_else(|| "none".into());
            return Err(Error::mismatch(path, "model_type", "clip", found));
        }
        let config = Config {
            projection_dim: file.projection_dim,
            text: file.text_config_dict.or(file.text_config).unwrap_or_default(),
            vision: file.vision_config_dict.or(file.vision_config).unwrap_or_default(),
        };
        config.check(path)?;
        Ok(config)
    }

    /// Refuses sizes that no tower can have. The limits are several times those of
    /// the largest CLIP known (bigG: 1,664 wide, 48 layers), low enough that no
    /// product of three of them overflows.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (text, vision) = (&self.text, &self.vision);
        let inner = |width: usize| 1..=limits::INNER.saturating_mul(width);
        #[rustfmt::skip]
        let sizes: [(&'static str, usize, RangeInclusive<usize>); 14] = [
            ("projection_dim", self.projection_dim, 1..=limits::WIDTH),
            ("text_config.vocab_size", text.vocab_size, 1..=limits::VOCABULARY),
            ("text_config.hidden_size", text.hidden_size, 1..=limits::WIDTH),
            ("text_config.intermediate_size", text.intermediate_size, inner(text.hidden_size)),
            ("text_config.num_hidden_layers", text.num_hidden_layers, 1..=limits::LAYERS),
            ("text_config.num_attention_heads", text.num_attention_heads, 1..=text.hidden_size),
            ("text_config.max_position_embeddings", text.max_position_embeddings, 2..=limits::POSITIONS),
            ("vision_config.hidden_size", vision.hidden_size, 1..=limits::WIDTH),
            ("vision_config.intermediate_size", vision.intermediate_size, inner(vision.hidden_size)),
            ("vision_config.num_hidden_layers", vision.num_hidden_layers, 1..=limits::LAYERS),
            ("vision_config.num_attention_heads", vision.num_attention_heads, 1..=vision.hidden_size),
            ("vision_config.num_channels", vision.num_channels, 3..=3),
            ("vision_config.image_size", vision.image_size, 1..=limits::IMAGE_SIDE),
            ("vision_config.patch_size", vision.patch_size, 1..=vision.image_size),
        ];
        for (what, found, range) in sizes {
            if !range.contains(&found) {
                let (low, high) = (range.start(), range.end());
                return Err(Error::mismatch(path, what, format!("{low} to {high}"), found));
            }
        }
        let heads = [
            ("text_config.num_attention_heads", text.num_attention_heads, text.hidden_size),
            ("vision_config.num_attention_heads", vision.num_attention_heads, vision.hidden_size),
        ];
        for (what, found, width) in heads {
            if width % found != 0 {
                return Err(Error::mismatch(path, what, format!("a divisor of {width}"), found));
            }
        }
        let narrow = text.hidden_size.min(vision.hidden_size);
        sizes::inner(path, "projection_dim", (self.projection_dim, narrow), limits::INNER)?;
        let (what, positions) =
            ("text_config.max_position_embeddings", text.max_position_embeddings);
        sizes::scores(path, what, text.num_attention_heads, [positions; 2])?;
        let (what, positions) = ("vision_config.image_size", vision.positions());
        sizes::scores(path, what, vision.num_attention_heads, [positions; 2])?;
        for (act, eps) in
            [(&text.hidden_act, text.layer_norm_eps), (&vision.hidden_act, vision.layer_norm_eps)]
        {
            activation(act, path)?;
            sizes::epsilon(path, "layer_norm_eps", eps)?;
        }
        Ok(())
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
        let said = open(file).unwrap_err().to_string();
        said.rsplit_once('/').unwrap().1.to_owned()
    }

    #[test]
    fn what_a_file_leaves_out_has_transformers_defaults() {
        let config = open(json!({ "model_type": "clip" })).unwrap();
        assert_eq!(config.projection_dim, 512);
        assert_eq!((config.text, config.vision), Default::default());
        let config = open(json!({ "model_type": "clip", "projection_dim": 768,
            "text_config": { "hidden_size": 768, "num_attention_heads": 12, "vocab_size": 99 },
            "vision_config": { "patch_size": 14 } }));
        let config = config.unwrap();
        assert_eq!((config.text.hidden_size, config.text.intermediate_size), (768, 2048));
        assert_eq!((config.vision.grid(), config.vision.positions()), (16, 257));
    }

    #[test]
    fn the_older_dict_wins_over_the_newer_section() {
        let file = json!({ "model_type": "clip", "text_config": { "hidden_size": 64 },
            "text_config_dict": { "hidden_size": 256 }, "vision_config_dict": null,
            "vision_config": { "hidden_size": 192 } });
        let config = open(file).unwrap();
        assert_eq!((config.text.hidden_size, config.vision.hidden_size), (256, 192));
    }

    #[test]
    fn another_architecture_is_named() {
        let expected = "config.json: model_type: expected clip, found ";
        let bert = json!({ "model_type": "bert", "architectures": ["BertModel"] });
        assert_eq!(message(bert), format!("{expected}bert"));
        let nameless = json!({ "architectures": ["SiglipModel"] });
        assert_eq!(message(nameless), format!("{expected}SiglipModel"));
        assert_eq!(message(json!({})), format!("{expected}none"));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for (section, field, value, expected) in [
            ("text_config", "hidden_size", json!(0), "1 to 16384"),
            ("text_config", "num_attention_heads", json!(7), "a divisor of 512"),
            ("text_config", "num_attention_heads", json!(0), "1 to 512"),
            ("text_config", "num_hidden_layers", json!(u64::MAX), "1 to 256"),
            ("text_config", "max_position_embeddings", json!(1), "2 to 16384"),
            ("vision_config", "patch_size", json!(0), "1 to 224"),
            ("vision_config", "patch_size", json!(225), "1 to 224"),
            ("vision_config", "image_size", json!(u64::MAX), "1 to 1024"),
            ("text_config", "intermediate_size", json!(1 << 20), "1 to 8192"),
            ("vision_config", "intermediate_size", json!(1 << 20), "1 to 12288"),
            ("vision_config", "num_channels", json!(1), "3 to 3"),
            ("vision_config", "num_attention_heads", json!(5), "a divisor of 768"),
        ] {
            let file = json!({ "model_type": "clip", section: { field: value } });
            let expected =
                format!("config.json: {section}.{field}: expected {expected}, found {value}");
            assert_eq!(message(file), expected);
        }
    }

    #[test]
    fn an_activation_or_epsilon_that_cannot_be_is_refused() {
        let file = json!({ "model_type": "clip", "vision_config": { "hidden_act": "silu" } });
        let expected = "config.json: hidden_act: expected quick_gelu or gelu, found silu";
        assert_eq!(message(file), expected);
        let file = json!({ "model_type": "clip", "text_config": { "layer_norm_eps": 0.0 } });
        let expected = "config.json: layer_norm_eps: expected above 0 and below 1, found 0";
        assert_eq!(message(file), expected);
    }

    #[test]
    fn attention_over_more_than_its_scores_is_refused() {
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
    fn a_side_may_be_written_as_two() {
        let file = json!({ "model_type": "clip", "vision_config": { "image_size": [224, 224] } });
        assert_eq!(open(file).unwrap().vision.image_size, 224);
    }

    #[test]
    fn a_field_of_another_type_is_no_config() {
        let file = json!({ "model_type": "clip", "text_config": { "hidden_size": -1 } });
        assert_eq!(message(file), "config.json is not the JSON expected here");
    }
}
