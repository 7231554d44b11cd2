//! CLIP in OpenAI's own layout, which OpenCLIP kept: other names, q, k and v
//! stacked, projections transposed, and sizes that are told by the shapes.
//!
//! Owns what differs from a checkpoint of transformers: the [`names`] as views,
//! the sizes ([`sizes`]), OpenCLIP's own configuration file ([`config`]) and the
//! vocabulary that all of OpenAI's models share ([`vocabulary`]).

mod config;
mod names;
mod sizes;
pub(super) mod vocabulary;

use std::path::Path;

pub(super) use names::extra;

use super::cleaning::{Cleaning, Form};
use super::config::Config;
use crate::picture::{Centre, Preprocess, Resize};
use crate::weights::Weights;
use crate::{Error, Result};

/// OpenCLIP's configuration, as its repositories on the hub have it.
pub(super) const CONFIG: &str = "open_clip_config.json";

/// Whether the weights have names of this layout.
pub(super) fn is_layout(weights: &Weights) -> bool {
    weights.names().any(|name| name.starts_with("visual."))
}

/// How texts are cleaned: as `config`, the path of an [`open_clip_config.json`](CONFIG),
/// says, or, where there is none, as OpenAI's code does.
///
/// # Errors
/// [`Error::Mismatch`] for a cleaning that OpenCLIP has not, and those of the
/// configuration.
pub(super) fn cleaning(config: Option<&Path>) -> Result<Cleaning> {
    let Some(path) = config else { return Ok(Cleaning::OpenAi) };
    let named = config::File::open(path)?.clean();
    let name = named.as_deref().unwrap_or("lower"); // as SimpleTokenizer has it
    let expected = "lower, whitespace or canonicalize";
    let unknown = || Error::mismatch(path, "tokenizer_kwargs.clean", expected, name);
    Form::named(name).map(Cleaning::OpenClip).ok_or_else(unknown)
}

/// The weights under the names of transformers, the sizes of the towers, and the
/// steps before the image tower. `config` is the path of an
/// [`open_clip_config.json`](CONFIG), where there is one.
///
/// # Errors
/// [`Error::Mismatch`] where they are no vision transformer's, or not those of
/// the configuration, [`Error::OpenClipConfig`] where nothing says which
/// activation they were trained with, and those of the configuration.
pub(super) fn read(
    weights: Weights,
    config: Option<&Path>,
) -> Result<(Weights, Config, Preprocess)> {
    let path = weights.path().to_owned();
    let mut sizes = sizes::of(&weights)?;
    let mut steps = Preprocess { centre: Centre::Even, ..Preprocess::default() };
    match config {
        Some(config) => config::File::open(config)?.apply(config, &mut sizes, &mut steps)?,
        None if names::is_openai(&weights) => {}
        None => return Err(Error::OpenClipConfig { path }),
    }
    sizes.check(config.unwrap_or(&path))?;
    let side = sizes.vision.image_size as u32; // checked: at most 1,024
    steps.resize = match steps.resize {
        Resize::Exact { .. } => Resize::Exact { height: side, width: side },
        _ => Resize::ShorterSide(side),
    };
    steps.crop = (side, side);
    let views = names::views(&weights);
    Ok((weights.with_views(views)?, sizes, steps))
}
