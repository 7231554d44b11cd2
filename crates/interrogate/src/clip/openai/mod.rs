//! CLIP in OpenAI's own layout, which OpenCLIP kept: other names, stacked q, k and v,
//! transposed projections, and sizes that follow from the shapes.
//!
//! Owns what differs from a checkpoint of transformers: the [`names`] as views,
//! the sizes ([`sizes`]) and OpenCLIP's own configuration file ([`config`]).

mod config;
mod convnext;
mod names;
mod resnet;
mod sizes;
mod timm;

use std::path::Path;

use config::OpenClipConfig;
pub(super) use names::extra;
use timm::TimmModel;

use super::cleaning::{Cleaning, Form};
use super::config::Config;
use crate::error::CheckpointError;
use crate::picture::{Center, Preprocess, Resize};
use crate::vision::{VisionConfig, VitParts, timm_vit_views};
use crate::weights::Weights;
use crate::{Error, Result};

/// The file name of OpenCLIP's configuration in its repositories on the hub.
pub(super) const CONFIG: &str = "open_clip_config.json";

/// Returns whether the weights have names of this layout.
pub(super) fn is_layout(weights: &Weights) -> bool {
    weights.names().any(|name| name.starts_with("visual."))
}

/// Reads the configuration at `path`, and the image tower that it names, if that is one of timm's.
///
/// # Errors
/// Those of [`OpenClipConfig::open`] and [`TimmModel::parse`].
fn open(path: &Path) -> Result<(OpenClipConfig, Option<TimmModel>)> {
    let config = OpenClipConfig::open(path)?;
    let model = config.timm_model_name().map(|name| TimmModel::parse(path, name)).transpose()?;
    Ok((config, model))
}

/// Returns the text cleaning that the [`open_clip_config.json`](CONFIG) at `config` names, or
/// OpenAI's if there is no such file.
///
/// # Errors
/// [`Error::Mismatch`] for an unknown cleaning, and the errors of the configuration.
pub(super) fn cleaning(config: Option<&Path>) -> Result<Cleaning> {
    match config {
        Some(path) => cleaning_of(path, &open(path)?.0),
        None => Ok(Cleaning::OpenAi),
    }
}

/// Returns the text cleaning that the configuration at `path` names.
fn cleaning_of(path: &Path, config: &OpenClipConfig) -> Result<Cleaning> {
    let name = config.clean();
    let expected = "lower, whitespace or canonicalize";
    let unknown = || Error::mismatch(path, "tokenizer_kwargs.clean", expected, &name);
    Form::parse(&name).map(Cleaning::OpenClip).ok_or_else(unknown)
}

/// Checks the [`open_clip_config.json`](CONFIG) at `path` as far as it can be without the
/// weights. Returns whether the tokenizer is OpenAI's, which this library has.
///
/// # Errors
/// Those of [`cleaning`].
pub(crate) fn check_config(path: &Path) -> Result<bool> {
    let (config, _) = open(path)?;
    cleaning_of(path, &config)?;
    let vocab = config.vocab_size();
    Ok(vocab.is_none_or(|vocab| vocab == crate::clip::tokenizer::openai::TOKENS))
}

/// Returns the weights under the names of transformers, the sizes of the towers, and the
/// preprocessing steps. `config` is the path of an [`open_clip_config.json`](CONFIG), if
/// there is one.
///
/// # Errors
/// [`Error::Mismatch`] if the weights are not those of supported towers or differ from the
/// configuration, [`CheckpointError::OpenClipConfig`] if there is no configuration and the activation
/// is unknown, and the errors of the configuration.
pub(super) fn read(
    weights: Weights,
    config: Option<&Path>,
) -> Result<(Weights, Config, Preprocess)> {
    let path = weights.path().to_owned();
    let is_openai = names::is_openai(&weights);
    let opened = config.map(open).transpose()?;
    let config_path = config.unwrap_or(&path);
    let timm_model = match &opened {
        Some((config, model)) => model.map(|model| (model, config)),
        None => None,
    };
    let views = names::views(&weights, &|name, rest, rows| match timm_model {
        Some((model, _)) => model.views(name, rest, rows),
        None => timm_vit_views(name, rest, rows),
    });
    let weights = weights.with_views(views)?;
    let (text, projection_dim) = sizes::text(&weights)?;
    let vision = match timm_model {
        Some((model, config)) => model.sizes(config_path, config, &weights)?,
        None if resnet::is_tower(&weights) => VisionConfig::ResNet(resnet::sizes(&weights)?),
        None => VisionConfig::Vit(sizes::vit(&weights, VitParts::default())?),
    };
    let mut sizes = Config { projection_dim, text, vision };
    let mut steps = Preprocess { center: Center::Even, ..Preprocess::default() };
    match &opened {
        Some((config, _)) => config.apply(config_path, &mut sizes, &mut steps)?,
        None if is_openai => {}
        None => return Err(Error::Checkpoint(CheckpointError::OpenClipConfig { path })),
    }
    let Config { text, vision, .. } = &sizes;
    let scalars = [vision.image_size(), text.max_position_embeddings, text.vocab_size];
    sizes::check_scalars(&weights, scalars)?;
    sizes.check(config_path)?;
    let side = sizes.vision.image_size() as u32; // checked: at most 1,024
    steps.resize = match steps.resize {
        Resize::Exact { .. } => Resize::Exact { height: side, width: side },
        _ => Resize::ShorterSide(side),
    };
    steps.crop = (side, side);
    Ok((weights, sizes, steps))
}
