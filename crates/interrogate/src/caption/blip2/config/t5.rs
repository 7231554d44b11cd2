//! `text_config` of a T5. The defaults are those of `configuration_t5.py` of transformers 5.23.

use std::path::Path;

use serde::Deserialize;

use crate::caption::generate::{Forced, Limits};
use crate::caption::special_tokens::{EosTokens, check_token};
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};

/// `text_config` of a T5.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct T5Config {
    pub(crate) vocab_size: usize,
    pub(crate) d_model: usize,
    pub(crate) d_kv: usize,
    pub(crate) d_ff: usize,
    pub(crate) num_layers: usize,
    pub(crate) num_decoder_layers: Option<usize>,
    pub(crate) num_heads: usize,
    pub(crate) relative_attention_num_buckets: usize,
    pub(crate) relative_attention_max_distance: usize,
    pub(crate) layer_norm_epsilon: f64,
    feed_forward_proj: String,
    /// Overrides the activation that `feed_forward_proj` names.
    dense_act_fn: Option<String>,
    /// Overrides whether `feed_forward_proj` begins with `gated`.
    is_gated_act: Option<bool>,
    tie_word_embeddings: Option<bool>,
    /// Overrides the value derived from `tie_word_embeddings`.
    scale_decoder_outputs: Option<bool>,
    /// Aliases of `d_model`, `d_kv`, `num_heads` and `num_layers`.
    hidden_size: Option<usize>,
    head_dim: Option<usize>,
    num_attention_heads: Option<usize>,
    num_hidden_layers: Option<usize>,
    pad_token_id: Option<u32>,
    decoder_start_token_id: Option<u32>,
    pub(crate) bos_token_id: Option<u32>,
    pub(crate) eos_token_id: EosTokens,
}

impl Default for T5Config {
    fn default() -> Self {
        T5Config {
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
            dense_act_fn: None,
            is_gated_act: None,
            tie_word_embeddings: None,
            scale_decoder_outputs: None,
            hidden_size: None,
            head_dim: None,
            num_attention_heads: None,
            num_hidden_layers: None,
            pad_token_id: Some(0),
            decoder_start_token_id: None,
            bos_token_id: None,
            eos_token_id: EosTokens::One(1),
        }
    }
}

impl T5Config {
    /// Parses whether the feed-forward layer has a gate, and its activation. The error is the
    /// invalid key and its value.
    ///
    /// `T5Config.__post_init__` derives both from `feed_forward_proj` and then sets every other
    /// key of the file, so `dense_act_fn` and `is_gated_act` take precedence. Flan-T5 XL has
    /// "gated-gelu" and "gelu", which is the exact GELU.
    fn parse_feed_forward(&self) -> Result<(bool, Activation), (&'static str, &str)> {
        let projection = self.feed_forward_proj.as_str();
        let (gated, derived) = match projection.split_once('-') {
            None => (false, projection),
            Some(("gated", "gelu")) => (true, "gelu_new"),
            Some(("gated", name)) => (true, name),
            Some(_) => return Err(("text_config.feed_forward_proj", projection)),
        };
        let (key, name) = match &self.dense_act_fn {
            Some(name) => ("text_config.dense_act_fn", name.as_str()),
            None => ("text_config.feed_forward_proj", derived),
        };
        let activation = Activation::from_name(name).ok_or((key, name))?;
        Ok((self.is_gated_act.unwrap_or(gated), activation))
    }

    /// Returns whether the feed-forward layer has a gate, and its activation.
    pub(crate) fn feed_forward(&self) -> (bool, Activation) {
        // `check` has refused any other value.
        self.parse_feed_forward().unwrap_or((false, Activation::Relu))
    }

    /// Returns the decoder's start token. transformers falls back to the beginning-of-sequence
    /// token (generation/utils.py, `_prepare_special_tokens`).
    pub(crate) fn start(&self) -> u32 {
        self.decoder_start_token_id.or(self.bos_token_id).or(self.pad_token_id).unwrap_or(0)
    }

    /// Whether the last states are scaled: they are in T5, whose head is tied to its embedding,
    /// and not in Flan-T5. transformers 5 writes `tie_word_embeddings: true` for both and
    /// distinguishes them by `scale_decoder_outputs`.
    pub(crate) fn scales_outputs(&self) -> bool {
        self.scale_decoder_outputs.unwrap_or(self.tie_word_embeddings != Some(false))
    }

    /// Relative positions are unlimited.
    pub(crate) fn limits(&self) -> Limits {
        let eos = self.eos_token_id.tokens();
        let forced = Forced::default();
        Limits { vocab: self.vocab_size, positions: usize::MAX, eos, forced }
    }

    pub(crate) fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (width, heads) = (self.d_model, self.num_heads);
        sizes::within(path, "text_config.vocab_size", self.vocab_size, limits::VOCABULARY)?;
        sizes::within(path, "text_config.d_model", width, limits::WIDTH)?;
        sizes::within(path, "text_config.num_heads", heads, limits::WIDTH)?;
        sizes::within(path, "text_config.d_kv", self.d_kv, limits::WIDTH)?;
        let all = heads * self.d_kv; // 2^28 at most
        sizes::within(path, "text_config.num_heads * d_kv", all, limits::WIDTH)?;
        sizes::inner(path, "text_config.num_heads * d_kv", (all, width), limits::INNER_T5)?;
        sizes::inner(path, "text_config.d_ff", (self.d_ff, width), limits::INNER_T5)?;
        sizes::within(path, "text_config.num_layers", self.num_layers, limits::LAYERS)?;
        let layers = self.decoder_layers();
        sizes::within(path, "text_config.num_decoder_layers", layers, limits::LAYERS)?;
        sizes::epsilon(path, "text_config.layer_norm_epsilon", self.layer_norm_epsilon)?;
        let (buckets, far) =
            (self.relative_attention_num_buckets, self.relative_attention_max_distance);
        let what = "text_config.relative_attention_num_buckets";
        sizes::within(path, what, buckets, limits::BUCKETS)?;
        let what = "text_config.relative_attention_max_distance";
        sizes::within(path, what, far, limits::POSITIONS)?;
        if buckets < 4 {
            let what = "text_config.relative_attention_num_buckets";
            return Err(Error::mismatch(path, what, "at least 4", buckets));
        }
        if far <= buckets / 2 {
            let what = "text_config.relative_attention_max_distance";
            return Err(Error::mismatch(path, what, format!("above {}", buckets / 2), far));
        }
        if let Err((what, found)) = self.parse_feed_forward() {
            let expected =
                format!("an activation ({}), gated- before it or not", Activation::NAMES);
            return Err(Error::mismatch(path, what, expected, found));
        }
        for (what, alias, value) in [
            ("text_config.hidden_size", self.hidden_size, self.d_model),
            ("text_config.head_dim", self.head_dim, self.d_kv),
            ("text_config.num_attention_heads", self.num_attention_heads, self.num_heads),
            ("text_config.num_hidden_layers", self.num_hidden_layers, self.num_layers),
        ] {
            if let Some(alias) = alias.filter(|&alias| alias != value) {
                return Err(Error::mismatch(path, what, value, alias));
            }
        }
        check_token(path, "text_config.decoder_start_token_id", self.start(), self.vocab_size)?;
        if let Some(token) = self.bos_token_id {
            check_token(path, "text_config.bos_token_id", token, self.vocab_size)?;
        }
        self.eos_token_id.check(path, "text_config.eos_token_id", self.vocab_size)
    }
}
