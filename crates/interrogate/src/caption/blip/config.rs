//! config.json of BLIP. Missing keys have the defaults of `configuration_blip.py` of
//! transformers 5.23.

use std::path::Path;

use serde::Deserialize;

use super::super::bert::BertSizes;
use super::super::generate::{Forced, Limits};
use super::super::read_json;
use super::super::special_tokens::check_token;
use super::super::vision::{RawVisionConfig, VisionConfig};
use crate::nn::Activation;
use crate::{Result, limits, sizes};

/// The contents of config.json.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) vision: VisionConfig,
    pub(super) text: TextConfig,
}

/// `text_config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct TextConfig {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
    pub(super) bos_token_id: u32,
    pub(super) sep_token_id: u32,
    is_decoder: bool,
    /// Ignored by transformers 5. Before it, "relative_key" selected another attention.
    position_embedding_type: Option<String>,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            vocab_size: 30_524,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 512,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            bos_token_id: 30_522,
            sep_token_id: 102,
            is_decoder: true,
            position_embedding_type: None,
        }
    }
}

const VISION: VisionConfig = VisionConfig {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 384,
    patch_size: 16,
    hidden_act: Activation::Gelu,
    layer_norm_eps: 1e-5,
    qkv_bias: true,
};

impl TextConfig {
    /// The decoder's sizes, for image states of this width.
    pub(super) fn sizes(&self, image_width: usize) -> BertSizes {
        BertSizes {
            width: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            positions: self.max_position_embeddings,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
            cross_width: Some(image_width),
            image_rows: 0,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            vocab: self.vocab_size,
            positions: self.max_position_embeddings,
            eos: vec![self.sep_token_id],
            forced: Forced::default(),
        }
    }
}

impl Config {
    /// Reads and validates the file at `path`.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Json`], [`crate::Error::Mismatch`]
    /// for unsupported or inconsistent values.
    pub(super) fn open(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct RawConfig {
            #[serde(default)]
            vision_config: RawVisionConfig,
            #[serde(default)]
            text_config: TextConfig,
        }
        let RawConfig { vision_config, text_config: text } = read_json(path)?;
        let vision = VISION.overridden_by(vision_config);
        vision.check(path)?;
        let (width, heads) = (text.hidden_size, text.num_attention_heads);
        let positions = text.max_position_embeddings;
        sizes::within(path, "text_config.vocab_size", text.vocab_size, limits::VOCABULARY)?;
        sizes::within(path, "text_config.hidden_size", width, limits::WIDTH)?;
        let inner = (text.intermediate_size, width);
        sizes::inner(path, "text_config.intermediate_size", inner, limits::INNER)?;
        let layers = text.num_hidden_layers;
        sizes::within(path, "text_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::within(path, "text_config.max_position_embeddings", positions, limits::POSITIONS)?;
        sizes::divides(path, "text_config.num_attention_heads", heads, width)?;
        sizes::epsilon(path, "text_config.layer_norm_eps", text.layer_norm_eps)?;
        sizes::only(path, "text_config.is_decoder", Some(&text.is_decoder), true)?;
        let (what, kind) =
            ("text_config.position_embedding_type", text.position_embedding_type.as_ref());
        sizes::only(path, what, kind, "absolute".to_owned())?;
        check_token(path, "text_config.bos_token_id", text.bos_token_id, text.vocab_size)?;
        check_token(path, "text_config.sep_token_id", text.sep_token_id, text.vocab_size)?;
        Ok(Config { vision, text })
    }
}
