//! How a picture becomes what the image tower of a captioner takes.

use std::path::Path;

use crate::clip::preprocess::{self, Processor};
use crate::picture::Preprocess;
use crate::{Error, Result};

/// Reads processor_config.json or preprocessor_config.json of `folder` for an image
/// tower of `side` by `side` pixels.
///
/// # Errors
/// Those of [`preprocess::find`] and [`preprocess::open`], [`Error::Mismatch`] where
/// the file asks for another size than the tower.
pub(super) fn open(folder: &Path, side: usize) -> Result<Preprocess> {
    let path = preprocess::find(folder)?;
    let steps = preprocess::open_as(&path, Processor::Blip)?;
    let (height, width) = steps.crop;
    if [height, width].map(|side| side as usize) == [side, side] {
        return Ok(steps);
    }
    let found = format!("{height} x {width}");
    Err(Error::mismatch(path, "size", format!("{side} x {side}"), found))
}
