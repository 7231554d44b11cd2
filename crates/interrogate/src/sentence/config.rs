//! The configuration of a sentence encoder: config.json, and the files of
//! sentence-transformers.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::CONTEXT;
use crate::{Error, Result, input, limits, sizes};

/// The fields of config.json that are read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    model_type: Option<String>,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f64,
    hidden_act: String,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
    /// Ignored by transformers 5; in older versions, "relative_key" was another attention.
    position_embedding_type: Option<String>,
}

impl Config {
    /// The configuration of all-MiniLM-L6-v2.
    pub(super) fn mini_lm() -> Self {
        Config {
            model_type: None,
            vocab_size: 30_522,
            hidden_size: 384,
            num_hidden_layers: 6,
            num_attention_heads: 12,
            intermediate_size: 1536,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_act: "gelu".to_owned(),
            is_decoder: false,
            add_cross_attention: false,
            position_embedding_type: None,
        }
    }
}

/// The fields of sentence_bert_config.json that are read.
#[derive(Deserialize)]
struct RawSentenceConfig {
    /// Null means all positions.
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

/// The fields of 1_Pooling/config.json that are read.
#[derive(Deserialize)]
struct RawPooling {
    /// sentence-transformers 5.3 and later.
    pooling_mode: Option<String>,
    pooling_mode_mean_tokens: Option<bool>,
    pooling_mode_cls_token: Option<bool>,
    pooling_mode_max_tokens: Option<bool>,
    pooling_mode_mean_sqrt_len_tokens: Option<bool>,
    pooling_mode_weightedmean_tokens: Option<bool>,
    pooling_mode_lasttoken: Option<bool>,
}

/// Reads the configuration of the encoder in `folder`, and its context length in tokens.
///
/// # Errors
/// [`Error::Io`], [`Error::Json`], [`Error::Mismatch`] for an architecture, a pooling
/// or a size that is not supported.
pub(super) fn open(folder: &Path) -> Result<(Config, usize)> {
    let path = folder.join("config.json");
    let config: Config = read(&path)?;
    check(&path, &config)?;
    let positions = config.max_position_embeddings;
    let sentence = folder.join("sentence_bert_config.json");
    let (path, what, context) = if !sentence.is_file() {
        (path, "max_position_embeddings", CONTEXT)
    } else {
        let raw: RawSentenceConfig = read(&sentence)?;
        sizes::only(&sentence, "do_lower_case", Some(&raw.do_lower_case), false)?;
        let context = raw.max_seq_length.unwrap_or(positions);
        (sentence, "max_seq_length", context)
    };
    if !(2..=positions).contains(&context) {
        return Err(match what {
            "max_seq_length" => Error::mismatch(path, what, format!("2 to {positions}"), context),
            _ => Error::mismatch(path, what, format!("{CONTEXT} or more"), positions),
        });
    }
    let pooling = folder.join("1_Pooling").join("config.json");
    if pooling.is_file() {
        check_pooling(&pooling, &read(&pooling)?)?;
    }
    Ok((config, context))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = input::read(path, limits::CONFIG)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

fn check_pooling(path: &Path, pooling: &RawPooling) -> Result<()> {
    sizes::only(path, "pooling_mode", pooling.pooling_mode.as_ref(), "mean".to_owned())?;
    for (what, found, expected) in [
        ("pooling_mode_mean_tokens", pooling.pooling_mode_mean_tokens, true),
        ("pooling_mode_cls_token", pooling.pooling_mode_cls_token, false),
        ("pooling_mode_max_tokens", pooling.pooling_mode_max_tokens, false),
        ("pooling_mode_mean_sqrt_len_tokens", pooling.pooling_mode_mean_sqrt_len_tokens, false),
        ("pooling_mode_weightedmean_tokens", pooling.pooling_mode_weightedmean_tokens, false),
        ("pooling_mode_lasttoken", pooling.pooling_mode_lasttoken, false),
    ] {
        sizes::only(path, what, found.as_ref(), expected)?;
    }
    Ok(())
}

/// Checks that `config`, read from `path`, is supported.
fn check(path: &Path, config: &Config) -> Result<()> {
    sizes::only(path, "model_type", config.model_type.as_ref(), "bert".to_owned())?;
    sizes::only(path, "hidden_act", Some(&config.hidden_act), "gelu".to_owned())?;
    sizes::only(path, "is_decoder", Some(&config.is_decoder), false)?;
    sizes::only(path, "add_cross_attention", Some(&config.add_cross_attention), false)?;
    let kind = config.position_embedding_type.as_ref();
    sizes::only(path, "position_embedding_type", kind, "absolute".to_owned())?;
    let (width, positions) = (config.hidden_size, config.max_position_embeddings);
    sizes::within(path, "vocab_size", config.vocab_size, limits::VOCABULARY)?;
    sizes::within(path, "hidden_size", width, limits::WIDTH)?;
    let inner = (config.intermediate_size, width);
    sizes::inner(path, "intermediate_size", inner, limits::INNER)?;
    sizes::within(path, "num_hidden_layers", config.num_hidden_layers, limits::LAYERS)?;
    sizes::within(path, "max_position_embeddings", positions, limits::POSITIONS)?;
    sizes::within(path, "type_vocab_size", config.type_vocab_size, limits::VOCABULARY)?;
    sizes::divides(path, "num_attention_heads", config.num_attention_heads, width)?;
    sizes::epsilon(path, "layer_norm_eps", config.layer_norm_eps)
}
