//! preprocessor_config.json and processor_config.json: the parameters of a checkpoint's
//! [`Preprocess`].
//!
//! Owns the formats that transformers has written over the years, for CLIP and for the
//! captioners. `picture` does the steps.

mod config;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::CheckpointError;
use crate::picture::Preprocess;
use crate::{Error, Result, input, limits};
use config::RawConfig;

/// The file that transformers wrote up to version 4, and still reads.
const IMAGE_PROCESSOR: &str = "preprocessor_config.json";

/// The file that version 5 writes: all parts of a processor, including the image processor.
const PROCESSOR: &str = "processor_config.json";

/// The class whose defaults replace missing fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processor {
    /// `CLIPImageProcessor`: resizes the shorter side to 224 and crops the center.
    Clip,
    /// `BlipImageProcessor`: resizes both sides to 384.
    Blip,
    /// `SiglipImageProcessor`: resizes both sides to 224, to values of -1 to 1.
    Siglip,
}

/// Returns the file of `folder` with the preprocessing steps: processor_config.json if it
/// has an `image_processor`, otherwise preprocessor_config.json, as in transformers
/// (image_processing_base.py, `get_image_processor_dict`).
///
/// # Errors
/// [`CheckpointError::FileMissing`], [`Error::Io`], [`Error::Json`].
pub fn find(folder: &Path) -> Result<PathBuf> {
    let (whole, plain) = (folder.join(PROCESSOR), folder.join(IMAGE_PROCESSOR));
    if whole.is_file()
        && read::<ProcessorConfig<serde::de::IgnoredAny>>(&whole)?.image_processor.is_some()
    {
        return Ok(whole);
    }
    if plain.is_file() {
        Ok(plain)
    } else {
        Err(Error::Checkpoint(CheckpointError::FileMissing {
            folder: folder.to_owned(),
            name: IMAGE_PROCESSOR,
        }))
    }
}

/// The part of a processor_config.json that is read.
#[derive(Deserialize)]
struct ProcessorConfig<T> {
    image_processor: Option<T>,
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = input::read(path, limits::CONFIG)?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// Returns the steps of the preprocessor_config.json or processor_config.json at `path`.
/// Missing fields have OpenAI's values.
///
/// # Errors
/// [`Error::Io`] and [`Error::Json`] if the file cannot be read or parsed;
/// [`Error::Mismatch`] for steps that are not supported: another class of processor, an
/// unknown filter, images without a fixed size, or a std that is not above zero.
pub fn open(path: &Path) -> Result<Preprocess> {
    open_as(path, Processor::Clip)
}

/// Opens the file like [`open`], with the defaults of `processor` if it names no class.
///
/// # Errors
/// The errors of [`open`].
pub(crate) fn open_as(path: &Path, processor: Processor) -> Result<Preprocess> {
    match read::<ProcessorConfig<RawConfig>>(path)?.image_processor {
        Some(config) => config.steps(path, processor),
        None => read::<RawConfig>(path)?.steps(path, processor),
    }
}

/// Opens the file like [`open_as`], and checks that it yields `side` by `side` pixels. An
/// error about the size names the key `what`.
///
/// # Errors
/// The errors of [`open`], and [`Error::Mismatch`] for another size.
pub(crate) fn open_for(
    path: &Path,
    processor: Processor,
    what: &'static str,
    side: usize,
) -> Result<Preprocess> {
    let steps = open_as(path, processor)?;
    let (height, width) = steps.crop;
    if [height, width].map(|side| side as usize) == [side, side] {
        return Ok(steps);
    }
    let found = format!("{height} x {width}");
    Err(Error::mismatch(path, what, format!("{side} x {side}"), found))
}
