//! config.json of BLIP-2.
//!
//! Old files lack `num_query_tokens`, `image_token_index`, and every value that equals a default.
//! The defaults are those of `configuration_blip_2.py` of transformers 5.23; those of the
//! language models are in `opt` and `t5`.

mod opt;
mod t5;

use std::path::Path;

use serde::Deserialize;

use super::super::read_json;
use super::super::special_tokens::check_token;
use super::super::vision::{RawVisionConfig, VisionConfig};
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};
pub(super) use opt::OptConfig;
pub(super) use t5::T5Config;

/// The contents of config.json.
#[derive(Debug)]
pub(in crate::caption) struct Config {
    pub(in crate::caption) vision: VisionConfig,
    pub(in crate::caption) qformer: QFormerConfig,
    pub(in crate::caption) text: TextConfig,
    pub(super) num_query_tokens: usize,
    /// The placeholder token of a query. Without one, the queries precede all tokens.
    pub(super) image_token_index: Option<u32>,
}

/// `qformer_config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(in crate::caption) struct QFormerConfig {
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
    pub(super) cross_attention_frequency: usize,
    /// Ignored by transformers 5. Before it, "relative_key" selected another attention.
    position_embedding_type: Option<String>,
}

/// `text_config`: one of two language models.
#[derive(Clone, Debug)]
pub(in crate::caption) enum TextConfig {
    Opt(OptConfig),
    T5(T5Config),
}

impl TextConfig {
    /// Returns the vocabulary size.
    pub(in crate::caption) fn vocab(&self) -> usize {
        match self {
            TextConfig::Opt(opt) => opt.vocab_size,
            TextConfig::T5(t5) => t5.vocab_size,
        }
    }

    /// Returns the width of a state.
    pub(in crate::caption) fn dim(&self) -> usize {
        match self {
            TextConfig::Opt(opt) => opt.hidden_size,
            TextConfig::T5(t5) => t5.d_model,
        }
    }

    /// Returns the token that replaces an empty prompt.
    pub(super) fn bos(&self) -> u32 {
        match self {
            TextConfig::Opt(opt) => opt.bos_token_id,
            // Flan-T5 has no such token; its end-of-sequence token is used.
            TextConfig::T5(t5) => {
                let eos = t5.eos_token_id.tokens().first().copied().unwrap_or(0);
                t5.bos_token_id.unwrap_or(eos)
            }
        }
    }
}

impl Default for QFormerConfig {
    fn default() -> Self {
        QFormerConfig {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            cross_attention_frequency: 2,
            position_embedding_type: None,
        }
    }
}

/// The tower of `Blip2VisionConfig`: EVA's ViT-g without its last layer.
const VISION: VisionConfig = VisionConfig {
    hidden_size: 1408,
    intermediate_size: 6144,
    num_hidden_layers: 39,
    num_attention_heads: 16,
    image_size: 224,
    patch_size: 14,
    hidden_act: Activation::Gelu,
    layer_norm_eps: 1e-6,
    qkv_bias: true,
};

impl Config {
    /// Reads and validates the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::Mismatch`] for unsupported or inconsistent values.
    pub(in crate::caption) fn open(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct RawConfig {
            #[serde(default)]
            vision_config: RawVisionConfig,
            #[serde(default)]
            qformer_config: QFormerConfig,
            #[serde(default)]
            text_config: serde_json::Value,
            num_query_tokens: Option<usize>,
            image_token_index: Option<u32>,
            /// An alias of `image_token_index` that takes precedence (`attribute_map` of
            /// `Blip2Config`).
            image_token_id: Option<u32>,
        }
        let raw: RawConfig = read_json(path)?;
        let kind = raw.text_config.get("model_type").and_then(|kind| kind.as_str());
        let json = |source| Error::Json { path: path.to_owned(), source };
        let text = match kind.unwrap_or("opt").to_owned().as_str() {
            "opt" if raw.text_config.is_null() => TextConfig::Opt(OptConfig::default()),
            "opt" => TextConfig::Opt(serde_json::from_value(raw.text_config).map_err(json)?),
            "t5" => TextConfig::T5(serde_json::from_value(raw.text_config).map_err(json)?),
            other => {
                return Err(Error::mismatch(path, "text_config.model_type", "opt or t5", other));
            }
        };
        let config = Config {
            vision: VISION.overridden_by(raw.vision_config),
            qformer: raw.qformer_config,
            text,
            num_query_tokens: raw.num_query_tokens.unwrap_or(32),
            image_token_index: raw.image_token_id.or(raw.image_token_index),
        };
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<()> {
        self.vision.check(path)?;
        let queries = self.num_query_tokens;
        sizes::within(path, "num_query_tokens", queries, limits::QUERIES)?;
        let QFormerConfig { hidden_size: width, num_attention_heads: heads, .. } = self.qformer;
        sizes::within(path, "qformer_config.hidden_size", width, limits::WIDTH)?;
        let inner = (self.qformer.intermediate_size, width);
        sizes::inner(path, "qformer_config.intermediate_size", inner, limits::INNER)?;
        let layers = self.qformer.num_hidden_layers;
        sizes::within(path, "qformer_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::divides(path, "qformer_config.num_attention_heads", heads, width)?;
        let frequency = self.qformer.cross_attention_frequency;
        let what = "qformer_config.cross_attention_frequency";
        sizes::within(path, what, frequency, limits::LAYERS)?;
        sizes::epsilon(path, "qformer_config.layer_norm_eps", self.qformer.layer_norm_eps)?;
        let (what, kind) =
            ("qformer_config.position_embedding_type", &self.qformer.position_embedding_type);
        sizes::only(path, what, kind.as_ref(), "absolute".to_owned())?;
        let keys = queries.max(self.vision.positions());
        sizes::scores(path, "num_query_tokens", heads, [queries, keys])?;
        if let TextConfig::T5(t5) = &self.text {
            sizes::scores(path, "num_query_tokens", t5.num_heads, [queries; 2])?;
        }
        match &self.text {
            TextConfig::Opt(opt) => opt.check(path)?,
            TextConfig::T5(t5) => t5.check(path)?,
        }
        match self.image_token_index {
            Some(token) => check_token(path, "image_token_index", token, self.text.vocab()),
            None => Ok(()),
        }
    }
}
