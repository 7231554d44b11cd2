//! config.json of GIT. Missing keys have the defaults of `configuration_git.py` of transformers
//! 5.24.

use std::path::Path;

use serde::Deserialize;

use super::super::bert::BertSizes;
use super::super::generate::{Forced, Limits};
use super::super::read_json;
use super::super::special_tokens::{EosTokens, check_token};
use super::super::vision::{RawVisionConfig, VisionConfig};
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};

/// The contents of config.json.
#[derive(Debug)]
pub(in crate::caption) struct Config {
    pub(in crate::caption) vision: VisionConfig,
    pub(in crate::caption) text: TextConfig,
}

/// The decoder's keys, which have no section of their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(in crate::caption) struct TextConfig {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    hidden_act: Activation,
    layer_norm_eps: f64,
    pub(super) bos_token_id: u32,
    eos_token_id: EosTokens,
    pub(super) tie_word_embeddings: bool,
    /// The number of frames of a video.
    num_image_with_embedding: Option<usize>,
    /// Ignored by transformers 5. Before it, "relative_key" selected another attention.
    position_embedding_type: Option<String>,
}

impl Default for TextConfig {
    fn default() -> Self {
        TextConfig {
            vocab_size: 30_522,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 6,
            num_attention_heads: 12,
            max_position_embeddings: 1024,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            bos_token_id: 101,
            eos_token_id: EosTokens::One(102),
            tie_word_embeddings: false,
            num_image_with_embedding: None,
            position_embedding_type: None,
        }
    }
}

const VISION: VisionConfig = VisionConfig {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    image_size: 224,
    patch_size: 16,
    hidden_act: Activation::QuickGelu,
    layer_norm_eps: 1e-5,
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
            #[serde(flatten)]
            text: TextConfig,
        }
        let RawConfig { vision_config, text } = read_json(path)?;
        let vision = VISION.overridden_by(vision_config);
        vision.check(path)?;
        text.check(path)?;
        // The image's rows attend to each other in the decoder as well.
        let rows = vision.positions();
        sizes::scores(path, "num_attention_heads", text.num_attention_heads, [rows; 2])?;
        Ok(Config { vision, text })
    }

    /// The decoder's sizes.
    pub(super) fn sizes(&self) -> BertSizes {
        let text = &self.text;
        BertSizes {
            width: text.hidden_size,
            inner: text.intermediate_size,
            layers: text.num_hidden_layers,
            heads: text.num_attention_heads,
            positions: text.max_position_embeddings,
            activation: text.hidden_act,
            eps: text.layer_norm_eps,
            cross_width: None,
            image_rows: self.vision.positions(),
        }
    }

    /// The image's rows count as positions of the KV cache, and have no position embedding.
    pub(in crate::caption) fn limits(&self) -> Limits {
        Limits {
            vocab: self.text.vocab_size,
            positions: self.vision.positions() + self.text.max_position_embeddings,
            eos: self.text.eos_token_id.tokens(),
            forced: Forced::default(),
        }
    }
}

impl TextConfig {
    fn check(&self, path: &Path) -> Result<()> {
        let (width, vocab) = (self.hidden_size, self.vocab_size);
        sizes::within(path, "vocab_size", vocab, limits::VOCABULARY)?;
        sizes::within(path, "hidden_size", width, limits::WIDTH)?;
        let inner = (self.intermediate_size, width);
        sizes::inner(path, "intermediate_size", inner, limits::INNER)?;
        sizes::within(path, "num_hidden_layers", self.num_hidden_layers, limits::LAYERS)?;
        let positions = self.max_position_embeddings;
        sizes::within(path, "max_position_embeddings", positions, limits::POSITIONS)?;
        sizes::divides(path, "num_attention_heads", self.num_attention_heads, width)?;
        sizes::epsilon(path, "layer_norm_eps", self.layer_norm_eps)?;
        let kind = self.position_embedding_type.as_ref();
        sizes::only(path, "position_embedding_type", kind, "absolute".to_owned())?;
        if let Some(frames) = self.num_image_with_embedding {
            let what = "num_image_with_embedding";
            return Err(Error::mismatch(path, what, "null, a model of single images", frames));
        }
        check_token(path, "bos_token_id", self.bos_token_id, vocab)?;
        self.eos_token_id.check(path, "eos_token_id", vocab)
    }
}
