//! config.json of Florence-2, in the layout of transformers (florence-community/Florence-2-base)
//! or of the code that microsoft/Florence-2-base ships. Missing keys have the defaults of
//! `configuration_florence2.py` and `configuration_bart.py` of transformers 5.24.

use std::path::Path;

use serde::Deserialize;

use super::super::generate::{Forced, Limits};
use super::super::read_json;
use super::super::special_tokens::{EosTokens, check_token};
use super::davit_config::DavitConfig;
use crate::nn::Activation;
use crate::{Result, limits, sizes};

/// The contents of config.json.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(in crate::caption) struct Config {
    #[serde(rename = "vision_config")]
    pub(in crate::caption) vision: DavitConfig,
    #[serde(rename = "text_config")]
    pub(in crate::caption) text: BartConfig,
}

/// `text_config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(in crate::caption) struct BartConfig {
    pub(in crate::caption) vocab_size: usize,
    pub(in crate::caption) d_model: usize,
    pub(super) encoder_layers: usize,
    pub(super) encoder_attention_heads: usize,
    pub(super) encoder_ffn_dim: usize,
    pub(super) decoder_layers: usize,
    pub(super) decoder_attention_heads: usize,
    pub(super) decoder_ffn_dim: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) activation_function: Activation,
    scale_embedding: bool,
    pub(super) bos_token_id: u32,
    eos_token_id: EosTokens,
    pub(super) decoder_start_token_id: u32,
    /// microsoft's files have it; transformers' have it in generation_config.json, with the same
    /// value.
    forced_bos_token_id: Option<u32>,
    forced_eos_token_id: Option<u32>,
}

impl Default for BartConfig {
    fn default() -> Self {
        BartConfig {
            vocab_size: 50_265,
            d_model: 1024,
            encoder_layers: 12,
            encoder_attention_heads: 16,
            encoder_ffn_dim: 4096,
            decoder_layers: 12,
            decoder_attention_heads: 16,
            decoder_ffn_dim: 4096,
            max_position_embeddings: 1024,
            activation_function: Activation::Gelu,
            scale_embedding: false,
            bos_token_id: 0,
            eos_token_id: EosTokens::One(2),
            decoder_start_token_id: 2,
            forced_bos_token_id: None,
            forced_eos_token_id: Some(2),
        }
    }
}

impl Config {
    /// Reads and validates the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), [`Error::Json`](crate::Error::Json),
    /// [`Error::Mismatch`](crate::Error::Mismatch) for unsupported or inconsistent values.
    pub(in crate::caption) fn open(path: &Path) -> Result<Self> {
        let config: Config = read_json(path)?;
        config.vision.check(path)?;
        config.text.check(path)?;
        let (found, width) = (config.vision.projection_dim, config.text.d_model);
        sizes::only(path, "vision_config.projection_dim", Some(&found), width)?;
        Ok(config)
    }
}

impl BartConfig {
    pub(in crate::caption) fn limits(&self) -> Limits {
        let eos = self.eos_token_id.tokens();
        Limits {
            vocab: self.vocab_size,
            positions: self.max_position_embeddings,
            forced: Forced {
                first: self.forced_bos_token_id.or(Some(self.bos_token_id)),
                last: self.forced_eos_token_id.or(eos.first().copied()),
            },
            eos,
        }
    }

    fn check(&self, path: &Path) -> Result<()> {
        let (width, vocab) = (self.d_model, self.vocab_size);
        sizes::within(path, "text_config.vocab_size", vocab, limits::VOCABULARY)?;
        sizes::within(path, "text_config.d_model", width, limits::WIDTH)?;
        let positions = self.max_position_embeddings;
        sizes::within(path, "text_config.max_position_embeddings", positions, limits::POSITIONS)?;
        let (encoder, decoder) = (self.encoder_layers, self.decoder_layers);
        sizes::within(path, "text_config.encoder_layers", encoder, limits::LAYERS)?;
        sizes::within(path, "text_config.decoder_layers", decoder, limits::LAYERS)?;
        let inner = (self.encoder_ffn_dim, width);
        sizes::inner(path, "text_config.encoder_ffn_dim", inner, limits::INNER)?;
        let inner = (self.decoder_ffn_dim, width);
        sizes::inner(path, "text_config.decoder_ffn_dim", inner, limits::INNER)?;
        let (encoder, decoder) = (self.encoder_attention_heads, self.decoder_attention_heads);
        sizes::divides(path, "text_config.encoder_attention_heads", encoder, width)?;
        sizes::divides(path, "text_config.decoder_attention_heads", decoder, width)?;
        sizes::only(path, "text_config.scale_embedding", Some(&self.scale_embedding), false)?;
        self.eos_token_id.check(path, "text_config.eos_token_id", vocab)?;
        for (what, token) in [
            ("text_config.bos_token_id", Some(self.bos_token_id)),
            ("text_config.decoder_start_token_id", Some(self.decoder_start_token_id)),
            ("text_config.forced_bos_token_id", self.forced_bos_token_id),
            ("text_config.forced_eos_token_id", self.forced_eos_token_id),
        ] {
            token.map_or(Ok(()), |token| check_token(path, what, token, vocab))?;
        }
        Ok(())
    }
}
