//! `open_clip_config.json`: OpenCLIP's configuration of a model.
//!
//! Owns the fields that change what a model computes. An unknown field that is not off is
//! refused, because ignoring it could silently change the results.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::sizes::HEAD_WIDTH;
use crate::clip::config::{Config, TextAttention, TextConfig, TextParts};
use crate::picture::{Filter, Preprocess, Resize};
use crate::vision::{Head, VisionConfig, VitConfig};
use crate::{Error, Result, input, limits, sizes};

/// The fields of the file. Sizes that also follow from the shapes of the weights are compared
/// with them. The default width of a head is 64, as in OpenAI's models.
#[derive(Debug, Deserialize)]
pub(super) struct OpenClipConfig {
    model_cfg: RawModel,
    #[serde(default)]
    preprocess_cfg: RawPreprocessing,
}

#[derive(Debug, Deserialize)]
struct RawModel {
    embed_dim: Option<usize>,
    #[serde(default)]
    quick_gelu: bool,
    /// Whether the text tower's weights are a part of their own, which their names show.
    #[serde(default, rename = "custom_text")]
    _custom_text: bool,
    /// The scale and bias of scores before training.
    #[serde(rename = "init_logit_scale")]
    _init_logit_scale: Option<f64>,
    #[serde(rename = "init_logit_bias")]
    _init_logit_bias: Option<f64>,
    #[serde(default)]
    vision_cfg: RawVision,
    #[serde(default)]
    text_cfg: RawText,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawVision {
    pub(super) image_size: Option<usize>,
    pub(super) layers: Option<LayerCount>,
    pub(super) width: Option<usize>,
    pub(super) head_width: Option<usize>,
    patch_size: Option<usize>,
    /// Follows from the shapes.
    #[serde(rename = "mlp_ratio")]
    _mlp_ratio: Option<f64>,
    /// Used in training only.
    #[serde(rename = "patch_dropout")]
    _patch_dropout: Option<f64>,
    /// A tower of timm.
    timm_model_name: Option<String>,
    pub(super) timm_pool: Option<String>,
    pub(super) timm_proj: Option<String>,
    /// Used in training only.
    #[serde(rename = "timm_model_pretrained")]
    _timm_model_pretrained: Option<bool>,
    #[serde(rename = "timm_drop")]
    _timm_drop: Option<f64>,
    #[serde(rename = "timm_drop_path")]
    _timm_drop_path: Option<f64>,
    /// Follows from the weights.
    #[serde(rename = "timm_proj_bias")]
    _timm_proj_bias: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The layers of a transformer, or the blocks of each stage of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum LayerCount {
    One(usize),
    Stages([usize; 4]),
}

#[derive(Debug, Default, Deserialize)]
struct RawText {
    context_length: Option<usize>,
    vocab_size: Option<usize>,
    width: Option<usize>,
    heads: Option<usize>,
    layers: Option<usize>,
    #[serde(rename = "mlp_ratio")]
    _mlp_ratio: Option<f64>,
    /// The repository of a tokenizer of transformers; OpenAI's without one.
    hf_tokenizer_name: Option<String>,
    #[serde(default)]
    tokenizer_kwargs: RawTokenizer,
    #[serde(default)]
    no_causal_mask: bool,
    #[serde(default)]
    proj_bias: bool,
    proj_type: Option<String>,
    pool_type: Option<String>,
    eos_id: Option<u32>,
    #[serde(default)]
    act_kwargs: RawActivation,
    #[serde(default)]
    norm_kwargs: RawNorm,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The arguments of OpenCLIP's tokenizer.
#[derive(Debug, Default, Deserialize)]
struct RawTokenizer {
    clean: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The arguments of the text tower's activation.
#[derive(Debug, Default, Deserialize)]
struct RawActivation {
    approximate: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// The arguments of the text tower's norms.
#[derive(Debug, Default, Deserialize)]
struct RawNorm {
    eps: Option<f64>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct RawPreprocessing {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    size: Option<usize>,
    mode: Option<String>,
}

impl OpenClipConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], and [`Error::Mismatch`] for an unsupported field.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let text = input::read(path, limits::CONFIG)?;
        let file: OpenClipConfig = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        let RawModel { rest, vision_cfg: vision, text_cfg: text, .. } = &file.model_cfg;
        for (section, rest) in [
            ("model_cfg", rest),
            ("vision_cfg", &vision.rest),
            ("text_cfg", &text.rest),
            ("tokenizer_kwargs", &text.tokenizer_kwargs.rest),
            ("act_kwargs", &text.act_kwargs.rest),
            ("norm_kwargs", &text.norm_kwargs.rest),
        ] {
            if let Some((field, value)) = rest.iter().find(|(field, value)| !is_off(field, value)) {
                let found = format!("{field}: {value}");
                return Err(Error::mismatch(path, section, "supported keys", found));
            }
        }
        text.attention(path)?;
        Ok(file)
    }

    /// Returns the name of the text cleaning. The defaults are those of open_clip's
    /// `SimpleTokenizer`, and of its `HFTokenizer` for a tokenizer of transformers.
    pub(super) fn clean(&self) -> String {
        let RawText { tokenizer_kwargs, hf_tokenizer_name, .. } = &self.model_cfg.text_cfg;
        let default = if hf_tokenizer_name.is_some() { "whitespace" } else { "lower" };
        tokenizer_kwargs.clean.as_deref().unwrap_or(default).to_owned()
    }

    /// Returns timm's name of the image tower, if it is one of timm's.
    pub(super) fn timm_model_name(&self) -> Option<&str> {
        self.model_cfg.vision_cfg.timm_model_name.as_deref()
    }

    /// Checks how the output of timm's tower is pooled and projected.
    ///
    /// # Errors
    /// [`Error::Mismatch`] unless they are `expected`: `timm_pool` and `timm_proj`.
    pub(super) fn check_timm(&self, path: &Path, expected: [&str; 2]) -> Result<()> {
        let RawVision { timm_pool, timm_proj, .. } = &self.model_cfg.vision_cfg;
        for (what, found, expected) in [
            ("vision_cfg.timm_pool", timm_pool, expected[0]),
            ("vision_cfg.timm_proj", timm_proj, expected[1]),
        ] {
            let found = found.as_deref().unwrap_or("none");
            if found != expected {
                return Err(Error::mismatch(path, what, expected, found));
            }
        }
        Ok(())
    }

    /// Returns the fields of the image tower.
    pub(super) fn vision(&self) -> &RawVision {
        &self.model_cfg.vision_cfg
    }

    /// Returns the number of tokens, if the file has it.
    pub(super) fn vocab_size(&self) -> Option<usize> {
        self.model_cfg.text_cfg.vocab_size
    }

    /// Completes `sizes`, which were read from the shapes of the weights, and `steps`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file and the weights differ.
    pub(super) fn apply(
        &self,
        path: &Path,
        sizes: &mut Config,
        steps: &mut Preprocess,
    ) -> Result<()> {
        let OpenClipConfig { model_cfg: RawModel { embed_dim, vision_cfg, text_cfg, .. }, .. } =
            self;
        let activation = if self.model_cfg.quick_gelu { "quick_gelu" } else { "gelu" };
        let dim = ("embed_dim", embed_dim, sizes.projection_dim);
        same_as_weights(path, [dim])?;
        match (&mut sizes.vision, &vision_cfg.timm_model_name) {
            (VisionConfig::Vit(vision), None) => vision_cfg.apply(path, vision, activation)?,
            (VisionConfig::ResNet(vision), None) => vision_cfg.apply_to_resnet(path, vision)?,
            (vision, _) => {
                let size = ("vision_cfg.image_size", &vision_cfg.image_size, vision.image_size());
                same_as_weights(path, [size])?;
            }
        }
        text_cfg.apply(path, &mut sizes.text, activation)?;
        // A size beyond u32 is refused when the sizes are checked.
        let side = u32::try_from(sizes.vision.image_size()).unwrap_or(u32::MAX);
        self.preprocess_cfg.apply(path, side, steps)
    }
}

impl RawVision {
    /// Completes the sizes of open_clip's own vision transformer.
    fn apply(&self, path: &Path, vision: &mut VitConfig, activation: &str) -> Result<()> {
        // Patches may leave a remainder at the edge, which no shape shows.
        if let Some(side) = self.image_size
            && side.checked_div(vision.patch_size) == Some(vision.grid())
        {
            vision.image_size = side;
        }
        LayerCount::One(vision.num_hidden_layers).check(path, self.layers)?;
        same_as_weights(
            path,
            [
                ("vision_cfg.image_size", &self.image_size, vision.image_size),
                ("vision_cfg.width", &self.width, vision.hidden_size),
                ("vision_cfg.patch_size", &self.patch_size, vision.patch_size),
            ],
        )?;
        let head_width = self.head_width.unwrap_or(HEAD_WIDTH);
        vision.num_attention_heads = vision.hidden_size.checked_div(head_width).unwrap_or(0);
        vision.hidden_act = activation.into();
        Ok(())
    }
}

impl LayerCount {
    /// Checks that the file at `path` has no other count than the weights.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it has.
    pub(super) fn check(self, path: &Path, found: Option<LayerCount>) -> Result<()> {
        match found {
            Some(found) if found != self => {
                let expected = format!("{self} as in the weights");
                Err(Error::mismatch(path, "vision_cfg.layers", expected, found))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for LayerCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerCount::One(layers) => write!(f, "{layers}"),
            LayerCount::Stages(layers) => write!(f, "{layers:?}"),
        }
    }
}

impl RawText {
    /// Completes the sizes of the text tower.
    fn apply(&self, path: &Path, text: &mut TextConfig, activation: &str) -> Result<()> {
        same_as_weights(
            path,
            [
                ("text_cfg.context_length", &self.context_length, text.max_position_embeddings),
                ("text_cfg.vocab_size", &self.vocab_size, text.vocab_size),
                ("text_cfg.width", &self.width, text.hidden_size),
                ("text_cfg.layers", &self.layers, text.num_hidden_layers),
            ],
        )?;
        text.num_attention_heads = self.heads.unwrap_or(text.num_attention_heads);
        text.hidden_act = match self.act_kwargs.approximate.as_deref() {
            None | Some("none") => activation.into(),
            Some("tanh") if activation == "gelu" => "gelu_pytorch_tanh".into(),
            Some(other) => {
                return Err(Error::mismatch(path, "act_kwargs.approximate", "tanh", other));
            }
        };
        text.layer_norm_eps = self.norm_kwargs.eps.unwrap_or(text.layer_norm_eps);
        text.eos_token_id = self.eos_id;
        let head = match self.proj_type.as_deref() {
            Some("none") => Head::None,
            None | Some("linear") if self.proj_bias => Head::BiasedProjection,
            None | Some("linear") => Head::Projection,
            Some(other) => {
                return Err(Error::mismatch(path, "text_cfg.proj_type", "linear or none", other));
            }
        };
        text.parts = TextParts { attention: self.attention(path)?, head };
        Ok(())
    }

    /// Returns which tokens a token attends to.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a combination of mask and pooling that is not supported.
    fn attention(&self, path: &Path) -> Result<TextAttention> {
        let expected = if self.no_causal_mask { "last" } else { "argmax, eos or tok" };
        match (self.no_causal_mask, self.pool_type.as_deref()) {
            (false, None | Some("argmax" | "eos" | "tok")) => Ok(TextAttention::Causal),
            (true, Some("last")) => Ok(TextAttention::Padded),
            (_, found) => {
                let found = found.unwrap_or("argmax, the default");
                Err(Error::mismatch(path, "text_cfg.pool_type", expected, found))
            }
        }
    }
}

/// Checks sizes of the file at `path` against those of the weights.
///
/// # Errors
/// [`Error::Mismatch`] if one differs.
pub(super) fn same_as_weights<const N: usize>(
    path: &Path,
    sizes: [(&'static str, &Option<usize>, usize); N],
) -> Result<()> {
    for (what, size, found) in sizes {
        if let Some(size) = size.filter(|&size| size != found) {
            let expected = format!("{found} as in the weights");
            return Err(Error::mismatch(path, what, expected, size));
        }
    }
    Ok(())
}

impl RawPreprocessing {
    /// Completes `steps` for a tower of `side` by `side` pixels.
    fn apply(&self, path: &Path, side: u32, steps: &mut Preprocess) -> Result<()> {
        steps.filter = match self.interpolation.as_deref() {
            None | Some("bicubic") => Filter::Bicubic,
            Some("bilinear") => Filter::Bilinear,
            Some(other) => {
                let expected = "bicubic or bilinear";
                return Err(Error::mismatch(path, "interpolation", expected, other));
            }
        };
        steps.resize = match self.resize_mode.as_deref() {
            None | Some("shortest") => Resize::ShorterSide(side),
            Some("squash") => Resize::Exact { height: side, width: side },
            // "longest" fits the whole image and pads it with fill_color.
            Some(other) => {
                return Err(Error::mismatch(path, "resize_mode", "shortest or squash", other));
            }
        };
        if let Some(found) = self.size.filter(|&found| found != side as usize) {
            return Err(Error::mismatch(path, "preprocess_cfg.size", side, found));
        }
        let mode = self.mode.as_ref();
        sizes::only(path, "preprocess_cfg.mode", mode, "RGB".to_owned())?;
        steps.mean = self.mean.unwrap_or(steps.mean);
        steps.std = self.std.unwrap_or(steps.std);
        if !steps.mean.iter().all(|v| v.is_finite()) || !steps.std.iter().all(|v| *v > 0.0) {
            let found = format!("{:?} and {:?}", steps.mean, steps.std);
            return Err(Error::mismatch(path, "mean and std", "numbers, std above 0", found));
        }
        Ok(())
    }
}

/// Returns whether a field changes nothing: it is off, or has the value that is supported.
fn is_off(field: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(
            (field, text.as_str()),
            ("pool_type", "tok" | "argmax")
                | ("pos_embed_type", "learnable")
                | ("proj_type", "linear")
        ),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
