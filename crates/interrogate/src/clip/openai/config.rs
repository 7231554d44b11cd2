//! `open_clip_config.json`: OpenCLIP's configuration of a model.
//!
//! Owns the fields that change what a model computes. An unknown field that is not off is
//! refused, because ignoring it could silently change the results.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::sizes::HEAD_WIDTH;
use crate::clip::config::Config;
use crate::picture::{Filter, Preprocess, Resize};
use crate::vision::VisionConfig;
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
    #[serde(default)]
    vision_cfg: RawVision,
    #[serde(default)]
    text_cfg: RawText,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct RawVision {
    image_size: Option<usize>,
    layers: Option<usize>,
    width: Option<usize>,
    head_width: Option<usize>,
    patch_size: Option<usize>,
    /// Follows from the shapes.
    #[serde(rename = "mlp_ratio")]
    _mlp_ratio: Option<f64>,
    /// Used in training only.
    #[serde(rename = "patch_dropout")]
    _patch_dropout: Option<f64>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
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
    #[serde(default)]
    tokenizer_kwargs: RawTokenizer,
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
        let model = &file.model_cfg;
        let tokenizer = &model.text_cfg.tokenizer_kwargs;
        for rest in [&model.rest, &model.vision_cfg.rest, &model.text_cfg.rest, &tokenizer.rest] {
            if let Some((field, value)) = rest.iter().find(|(field, value)| !is_off(field, value)) {
                let expected = "fields of a plain vision transformer and text transformer";
                return Err(Error::mismatch(
                    path,
                    "model_cfg",
                    expected,
                    format!("{field}: {value}"),
                ));
            }
        }
        Ok(file)
    }

    /// Returns the name of the text cleaning, if the file has one.
    pub(super) fn clean(self) -> Option<String> {
        self.model_cfg.text_cfg.tokenizer_kwargs.clean
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
        let VisionConfig::Vit(vision) = &mut sizes.vision;
        let text = &mut sizes.text;
        // Patches may leave a remainder at the edge, which no shape shows.
        if let Some(side) = vision_cfg.image_size
            && side.checked_div(vision.patch_size) == Some(vision.grid())
        {
            vision.image_size = side;
        }
        for (what, size, found) in [
            ("embed_dim", embed_dim, sizes.projection_dim),
            ("vision_cfg.image_size", &vision_cfg.image_size, vision.image_size),
            ("vision_cfg.layers", &vision_cfg.layers, vision.num_hidden_layers),
            ("vision_cfg.width", &vision_cfg.width, vision.hidden_size),
            ("vision_cfg.patch_size", &vision_cfg.patch_size, vision.patch_size),
            ("text_cfg.context_length", &text_cfg.context_length, text.max_position_embeddings),
            ("text_cfg.vocab_size", &text_cfg.vocab_size, text.vocab_size),
            ("text_cfg.width", &text_cfg.width, text.hidden_size),
            ("text_cfg.layers", &text_cfg.layers, text.num_hidden_layers),
        ] {
            if let Some(size) = size.filter(|&size| size != found) {
                let expected = format!("{found} as in the weights");
                return Err(Error::mismatch(path, what, expected, size));
            }
        }
        vision.num_attention_heads = vision
            .hidden_size
            .checked_div(vision_cfg.head_width.unwrap_or(HEAD_WIDTH))
            .unwrap_or(0);
        text.num_attention_heads = text_cfg.heads.unwrap_or(text.num_attention_heads);
        let activation = if self.model_cfg.quick_gelu { "quick_gelu" } else { "gelu" };
        vision.hidden_act = activation.into();
        text.hidden_act = activation.into();
        // A size beyond u32 is refused when the sizes are checked.
        let side = u32::try_from(sizes.vision.image_size()).unwrap_or(u32::MAX);
        self.preprocess_cfg.apply(path, side, steps)
    }
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
