//! config.json of BLIP-2, old files and new.
//!
//! Old files leave out `num_query_tokens`, `image_token_index`, and whatever
//! equals a default: those of `configuration_blip_2.py`, `configuration_opt.py`
//! and `configuration_t5.py` of transformers 5.23 stand here.

use std::path::Path;

use serde::Deserialize;

use super::super::{check_heads, check_size, check_token, read_json, vision};
use crate::nn::Activation;
use crate::{Error, Result};

/// What config.json says.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) vision: vision::Config,
    pub(super) qformer: QFormer,
    pub(super) text: Text,
    pub(super) num_query_tokens: usize,
    /// The token that stands for a query's row; without one the rows come
    /// before all tokens.
    pub(super) image_token_index: Option<u32>,
}

/// `qformer_config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct QFormer {
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
    pub(super) cross_attention_frequency: usize,
}

/// `text_config`: one of two language models.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Opt(Opt),
    T5(T5),
}

/// `text_config` of an OPT.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Opt {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) ffn_dim: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) num_attention_heads: usize,
    pub(super) activation_function: Activation,
    pub(super) enable_bias: bool,
    do_layer_norm_before: bool,
    layer_norm_elementwise_affine: bool,
    #[serde(rename = "_remove_final_layer_norm")]
    remove_final_layer_norm: bool,
    word_embed_proj_dim: Option<usize>,
    pub(super) bos_token_id: u32,
    pub(super) eos_token_id: End,
}

/// `text_config` of a T5.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct T5 {
    pub(super) vocab_size: usize,
    pub(super) d_model: usize,
    pub(super) d_kv: usize,
    pub(super) d_ff: usize,
    pub(super) num_layers: usize,
    pub(super) num_decoder_layers: Option<usize>,
    pub(super) num_heads: usize,
    pub(super) relative_attention_num_buckets: usize,
    pub(super) relative_attention_max_distance: usize,
    pub(super) layer_norm_epsilon: f64,
    feed_forward_proj: String,
    tie_word_embeddings: Option<bool>,
    pad_token_id: u32,
    decoder_start_token_id: Option<u32>,
    pub(super) bos_token_id: Option<u32>,
    pub(super) eos_token_id: End,
}

/// One token that ends a caption, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum End {
    One(u32),
    Several(Vec<u32>),
}

impl End {
    pub(super) fn tokens(&self) -> Vec<u32> {
        match self {
            End::One(token) => vec![*token],
            End::Several(tokens) => tokens.clone(),
        }
    }
}

impl Default for QFormer {
    fn default() -> Self {
        QFormer {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            cross_attention_frequency: 2,
        }
    }
}

impl Default for Opt {
    fn default() -> Self {
        Opt {
            vocab_size: 50_272,
            hidden_size: 768,
            num_hidden_layers: 12,
            ffn_dim: 3072,
            max_position_embeddings: 2048,
            num_attention_heads: 12,
            activation_function: Activation::Relu,
            enable_bias: true,
            do_layer_norm_before: true,
            layer_norm_elementwise_affine: true,
            remove_final_layer_norm: false,
            word_embed_proj_dim: None,
            bos_token_id: 2,
            eos_token_id: End::One(2),
        }
    }
}

impl Default for T5 {
    fn default() -> Self {
        T5 {
            vocab_size: 32_128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2048,
            num_layers: 6,
            num_decoder_layers: None,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: "relu".to_owned(),
            tie_word_embeddings: None,
            pad_token_id: 0,
            decoder_start_token_id: None,
            bos_token_id: None,
            eos_token_id: End::One(1),
        }
    }
}

/// The tower of `Blip2VisionConfig`: EVA's ViT-g without its last layer.
const VISION: vision::Config = vision::Config {
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
    /// Reads and checks config.json of `folder`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::Mismatch`] for values that do
    /// not go together or that are not supported.
    pub(super) fn open(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(default)]
            vision_config: vision::Written,
            #[serde(default)]
            qformer_config: QFormer,
            #[serde(default)]
            text_config: serde_json::Value,
            num_query_tokens: Option<usize>,
            image_token_index: Option<u32>,
        }
        let written: Written = read_json(path)?;
        let kind = written.text_config.get("model_type").and_then(|kind| kind.as_str());
        let json = |source| Error::Json { path: path.to_owned(), source };
        let text = match kind.unwrap_or("opt").to_owned().as_str() {
            "opt" if written.text_config.is_null() => Text::Opt(Opt::default()),
            "opt" => Text::Opt(serde_json::from_value(written.text_config).map_err(json)?),
            "t5" => Text::T5(serde_json::from_value(written.text_config).map_err(json)?),
            other => {
                return Err(Error::mismatch(path, "text_config.model_type", "opt or t5", other));
            }
        };
        let config = Config {
            vision: VISION.or(written.vision_config),
            qformer: written.qformer_config,
            text,
            num_query_tokens: written.num_query_tokens.unwrap_or(32),
            image_token_index: written.image_token_index,
        };
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<()> {
        self.vision.check(path)?;
        check_size(path, "num_query_tokens", self.num_query_tokens)?;
        let QFormer { hidden_size, num_attention_heads, intermediate_size, .. } = self.qformer;
        check_size(path, "qformer_config.hidden_size", hidden_size)?;
        check_size(path, "qformer_config.intermediate_size", intermediate_size)?;
        check_heads(path, "qformer_config.num_attention_heads", num_attention_heads, hidden_size)?;
        let frequency = self.qformer.cross_attention_frequency;
        check_size(path, "qformer_config.cross_attention_frequency", frequency)?;
        let vocab = match &self.text {
            Text::Opt(opt) => opt.check(path).map(|()| opt.vocab_size)?,
            Text::T5(t5) => t5.check(path).map(|()| t5.vocab_size)?,
        };
        match self.image_token_index {
            Some(token) => check_token(path, "image_token_index", token, vocab),
            None => Ok(()),
        }
    }
}

impl Opt {
    fn check(&self, path: &Path) -> Result<()> {
        check_size(path, "text_config.vocab_size", self.vocab_size)?;
        check_size(path, "text_config.hidden_size", self.hidden_size)?;
        check_size(path, "text_config.ffn_dim", self.ffn_dim)?;
        check_size(path, "text_config.max_position_embeddings", self.max_position_embeddings)?;
        let heads = self.num_attention_heads;
        check_heads(path, "text_config.num_attention_heads", heads, self.hidden_size)?;
        // The layout of opt-350m and of models from before 2022: no BLIP-2 has it.
        for (what, expected, found) in [
            ("text_config.do_layer_norm_before", true, self.do_layer_norm_before),
            ("text_config.layer_norm_elementwise_affine", true, self.layer_norm_elementwise_affine),
            ("text_config._remove_final_layer_norm", false, self.remove_final_layer_norm),
        ] {
            if found != expected {
                return Err(Error::mismatch(path, what, expected, found));
            }
        }
        match self.word_embed_proj_dim {
            Some(dim) if dim != self.hidden_size => {
                let what = "text_config.word_embed_proj_dim";
                Err(Error::mismatch(path, what, self.hidden_size, dim))
            }
            _ => {
                check_token(path, "text_config.bos_token_id", self.bos_token_id, self.vocab_size)?;
                check_ends(path, &self.eos_token_id, self.vocab_size)
            }
        }
    }
}

impl T5 {
    /// Whether the feed-forward layer has a gate, and its activation.
    pub(super) fn feed_forward(&self) -> Option<(bool, Activation)> {
        match self.feed_forward_proj.as_str() {
            "relu" => Some((false, Activation::Relu)),
            "gated-gelu" => Some((true, Activation::GeluTanh)),
            _ => None,
        }
    }

    /// The token that the decoder begins with.
    pub(super) fn start(&self) -> u32 {
        self.decoder_start_token_id.unwrap_or(self.pad_token_id)
    }

    /// Whether the last states are scaled: T5 does so, whose head is tied to its
    /// embedding, and Flan-T5 does not.
    pub(super) fn scaled(&self) -> bool {
        self.tie_word_embeddings != Some(false)
    }

    pub(super) fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    fn check(&self, path: &Path) -> Result<()> {
        check_size(path, "text_config.vocab_size", self.vocab_size)?;
        check_size(path, "text_config.d_model", self.d_model)?;
        check_size(path, "text_config.d_kv", self.d_kv)?;
        check_size(path, "text_config.d_ff", self.d_ff)?;
        check_size(path, "text_config.num_heads", self.num_heads)?;
        check_size(path, "text_config.num_heads * d_kv", self.num_heads * self.d_kv)?;
        let (buckets, far) =
            (self.relative_attention_num_buckets, self.relative_attention_max_distance);
        check_size(path, "text_config.relative_attention_num_buckets", buckets)?;
        check_size(path, "text_config.relative_attention_max_distance", far)?;
        if buckets < 4 {
            let what = "text_config.relative_attention_num_buckets";
            return Err(Error::mismatch(path, what, "at least 4", buckets));
        }
        if far <= buckets / 2 {
            let what = "text_config.relative_attention_max_distance";
            return Err(Error::mismatch(path, what, format!("above {}", buckets / 2), far));
        }
        if self.feed_forward().is_none() {
            let what = "text_config.feed_forward_proj";
            return Err(Error::mismatch(path, what, "relu or gated-gelu", &self.feed_forward_proj));
        }
        check_token(path, "text_config.decoder_start_token_id", self.start(), self.vocab_size)?;
        if let Some(token) = self.bos_token_id {
            check_token(path, "text_config.bos_token_id", token, self.vocab_size)?;
        }
        check_ends(path, &self.eos_token_id, self.vocab_size)
    }
}

fn check_ends(path: &Path, ends: &End, vocab: usize) -> Result<()> {
    let mut tokens = ends.tokens().into_iter();
    tokens.try_for_each(|token| check_token(path, "text_config.eos_token_id", token, vocab))
}
