//! `open_clip_config.json`: what OpenCLIP's repositories say of a model.
//!
//! Owns the fields that change what a model computes. One that is not known, and
//! not off, is refused by name: leaving it out would give other numbers without
//! a word.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::sizes::HEAD_WIDTH;
use crate::clip::config::Config;
use crate::picture::{Filter, Preprocess, Resize};
use crate::{Error, Result, input, limits, sizes};

/// The file as it stands. Sizes that the shapes of the weights tell as well are
/// compared with them; heads that are left out have 64 values each, as OpenAI's.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    model_cfg: Model,
    #[serde(default)]
    preprocess_cfg: Steps,
}

#[derive(Debug, Deserialize)]
struct Model {
    embed_dim: Option<usize>,
    #[serde(default)]
    quick_gelu: bool,
    #[serde(default)]
    vision_cfg: Vision,
    #[serde(default)]
    text_cfg: Text,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Vision {
    image_size: Option<usize>,
    layers: Option<usize>,
    width: Option<usize>,
    head_width: Option<usize>,
    patch_size: Option<usize>,
    /// Told by the shapes.
    #[serde(rename = "mlp_ratio")]
    _mlp_ratio: Option<f64>,
    /// Of training alone.
    #[serde(rename = "patch_dropout")]
    _patch_dropout: Option<f64>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Text {
    context_length: Option<usize>,
    vocab_size: Option<usize>,
    width: Option<usize>,
    heads: Option<usize>,
    layers: Option<usize>,
    #[serde(rename = "mlp_ratio")]
    _mlp_ratio: Option<f64>,
    #[serde(default)]
    tokenizer_kwargs: Tokenizer,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What OpenCLIP's tokenizer is made with.
#[derive(Debug, Default, Deserialize)]
struct Tokenizer {
    clean: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Steps {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
    #[serde(default, deserialize_with = "sizes::optional_side")]
    size: Option<usize>,
    mode: Option<String>,
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], and [`Error::Mismatch`] for a field that
    /// asks for what is not built here.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let text = input::read(path, limits::CONFIG)?;
        let file: File = serde_json::from_slice(&text)
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

    /// The name of the cleaning of texts, where it says one.
    pub(super) fn clean(self) -> Option<String> {
        self.model_cfg.text_cfg.tokenizer_kwargs.clean
    }

    /// Completes `sizes`, which the shapes of the weights have told, and `steps`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the file and the weights differ.
    pub(super) fn apply(
        &self,
        path: &Path,
        sizes: &mut Config,
        steps: &mut Preprocess,
    ) -> Result<()> {
        let File { model_cfg: Model { embed_dim, vision_cfg, text_cfg, .. }, .. } = self;
        let (vision, text) = (&mut sizes.vision, &mut sizes.text);
        // Patches may leave a rest at the edge, which no shape tells.
        if let Some(side) = vision_cfg.image_size
            && side.checked_div(vision.patch_size) == Some(vision.grid())
        {
            vision.image_size = side;
        }
        for (what, said, found) in [
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
            if let Some(said) = said.filter(|&said| said != found) {
                let expected = format!("{found}, as the weights are shaped");
                return Err(Error::mismatch(path, what, expected, said));
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
        // What has more bits is refused when the sizes are checked.
        let side = u32::try_from(sizes.vision.image_size).unwrap_or(u32::MAX);
        self.preprocess_cfg.apply(path, side, steps)
    }
}

impl Steps {
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
            // "longest" fits the whole picture in and fills the rest with fill_color.
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

/// Whether a field asks for nothing: it is off, or says what is done anyway.
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
