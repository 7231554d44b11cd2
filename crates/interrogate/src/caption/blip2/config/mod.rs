//! config.json of BLIP-2, old files and new.
//!
//! Old files leave out `num_query_tokens`, `image_token_index`, and whatever
//! equals a default: those of `configuration_blip_2.py` of transformers 5.23
//! stand here, those of the language models in `opt` and `t5`.

mod opt;
mod t5;

use std::path::Path;

use serde::Deserialize;

use super::super::{check_token, read_json, vision};
use crate::nn::Activation;
use crate::{Error, Result, limits, sizes};
pub(super) use opt::Opt;
pub(super) use t5::T5;

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
    /// Not read by transformers 5; before it, "relative_key" was another attention.
    position_embedding_type: Option<String>,
}

/// `text_config`: one of two language models.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Opt(Opt),
    T5(T5),
}

/// One token that ends a caption, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum End {
    One(u32),
    Several(Vec<u32>),
}

impl End {
    pub(crate) fn tokens(&self) -> Vec<u32> {
        match self {
            End::One(token) => vec![*token],
            End::Several(tokens) => tokens.clone(),
        }
    }
}

impl Text {
    pub(super) fn vocab(&self) -> usize {
        match self {
            Text::Opt(opt) => opt.vocab_size,
            Text::T5(t5) => t5.vocab_size,
        }
    }

    /// Values of a state.
    pub(super) fn dim(&self) -> usize {
        match self {
            Text::Opt(opt) => opt.hidden_size,
            Text::T5(t5) => t5.d_model,
        }
    }

    /// The token that stands for a text where there is none.
    pub(super) fn bos(&self) -> u32 {
        match self {
            Text::Opt(opt) => opt.bos_token_id,
            // Flan-T5 has no such token of its own; its end stands for it.
            Text::T5(t5) => {
                let end = t5.eos_token_id.tokens().first().copied().unwrap_or(0);
                t5.bos_token_id.unwrap_or(end)
            }
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
            position_embedding_type: None,
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
            /// Another name of it, which wins (`attribute_map` of `Blip2Config`).
            image_token_id: Option<u32>,
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
            image_token_index: written.image_token_id.or(written.image_token_index),
        };
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<()> {
        self.vision.check(path)?;
        let queries = self.num_query_tokens;
        sizes::within(path, "num_query_tokens", queries, limits::QUERIES)?;
        let QFormer { hidden_size: width, num_attention_heads: heads, .. } = self.qformer;
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
        let seen = queries.max(self.vision.positions());
        sizes::scores(path, "num_query_tokens", heads, [queries, seen])?;
        if let Text::T5(t5) = &self.text {
            sizes::scores(path, "num_query_tokens", t5.num_heads, [queries; 2])?;
        }
        match &self.text {
            Text::Opt(opt) => opt.check(path)?,
            Text::T5(t5) => t5.check(path)?,
        }
        match self.image_token_index {
            Some(token) => check_token(path, "image_token_index", token, self.text.vocab()),
            None => Ok(()),
        }
    }
}

fn check_ends(path: &Path, ends: &End, vocab: usize) -> Result<()> {
    let mut tokens = ends.tokens().into_iter();
    tokens.try_for_each(|token| check_token(path, "text_config.eos_token_id", token, vocab))
}
