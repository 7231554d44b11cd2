//! `text_config` of a T5, and what must hold of it. The defaults are those of
//! `configuration_t5.py` of transformers 5.23.

use std::path::Path;

use serde::Deserialize;

use super::{End, check_ends};
use crate::caption::generate::Limits;
use crate::caption::{check_size, check_token};
use crate::nn::Activation;
use crate::{Error, Result};

/// `text_config` of a T5.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct T5 {
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
    tie_word_embeddings: Option<bool>,
    pad_token_id: u32,
    decoder_start_token_id: Option<u32>,
    pub(crate) bos_token_id: Option<u32>,
    pub(crate) eos_token_id: End,
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

impl T5 {
    /// Whether the feed-forward layer has a gate, and its activation.
    pub(crate) fn feed_forward(&self) -> Option<(bool, Activation)> {
        match self.feed_forward_proj.as_str() {
            "relu" => Some((false, Activation::Relu)),
            "gated-gelu" => Some((true, Activation::GeluTanh)),
            _ => None,
        }
    }

    /// The token that the decoder begins with.
    pub(crate) fn start(&self) -> u32 {
        self.decoder_start_token_id.unwrap_or(self.pad_token_id)
    }

    /// Whether the last states are scaled: T5 does so, whose head is tied to its
    /// embedding, and Flan-T5 does not.
    pub(crate) fn scaled(&self) -> bool {
        self.tie_word_embeddings != Some(false)
    }

    /// Relative positions have no end.
    pub(crate) fn limits(&self) -> Limits {
        let end = self.eos_token_id.tokens();
        Limits { vocab: self.vocab_size, positions: usize::MAX, end }
    }

    pub(crate) fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
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
