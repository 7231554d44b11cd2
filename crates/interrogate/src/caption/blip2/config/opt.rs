//! `text_config` of an OPT. The defaults are those of `configuration_opt.py` of transformers
//! 5.23.

use std::path::Path;

use serde::Deserialize;

use crate::caption::generate::{Forced, Limits};
use crate::caption::special_tokens::{EosTokens, check_token};
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};

/// `text_config` of an OPT.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct OptConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) ffn_dim: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) activation_function: Activation,
    pub(crate) enable_bias: bool,
    do_layer_norm_before: bool,
    layer_norm_elementwise_affine: bool,
    #[serde(rename = "_remove_final_layer_norm")]
    remove_final_layer_norm: bool,
    word_embed_proj_dim: Option<usize>,
    pub(crate) bos_token_id: u32,
    pub(crate) eos_token_id: EosTokens,
}

impl Default for OptConfig {
    fn default() -> Self {
        OptConfig {
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
            eos_token_id: EosTokens::One(2),
        }
    }
}

impl OptConfig {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            vocab: self.vocab_size,
            positions: self.max_position_embeddings,
            eos: self.eos_token_id.tokens(),
            forced: Forced::default(),
        }
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        let positions = self.max_position_embeddings;
        sizes::within(path, "text_config.vocab_size", self.vocab_size, limits::VOCABULARY)?;
        sizes::within(path, "text_config.hidden_size", width, limits::WIDTH)?;
        sizes::inner(path, "text_config.ffn_dim", (self.ffn_dim, width), limits::INNER)?;
        let layers = self.num_hidden_layers;
        sizes::within(path, "text_config.num_hidden_layers", layers, limits::LAYERS)?;
        sizes::within(path, "text_config.max_position_embeddings", positions, limits::POSITIONS)?;
        sizes::divides(path, "text_config.num_attention_heads", heads, width)?;
        // opt-350m and models before 2022 have other values; no BLIP-2 has.
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
                self.eos_token_id.check(path, "text_config.eos_token_id", self.vocab_size)
            }
        }
    }
}
