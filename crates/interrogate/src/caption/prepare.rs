//! preprocessor_config.json: how a picture becomes what the image tower takes.

use std::path::Path;

use serde::Deserialize;

use super::read_json;
use crate::picture::{Filter, Preprocess, Resampling, Resize};
use crate::{Error, Result};

/// The file's fields that BLIP's processor heeds. Old files leave out what
/// equals its defaults (`BlipImageProcessor` of transformers 5.23).
#[derive(Debug, Deserialize)]
struct Written {
    size: Option<Size>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    image_processor_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(u32),
    Sides { height: u32, width: u32 },
}

/// Reads preprocessor_config.json of `folder` for an image tower of `side` by
/// `side` pixels: a bicubic resize to exactly that, whatever the proportion, no
/// crop, then mean and std.
///
/// # Errors
/// [`Error::Io`], [`Error::Json`], [`Error::Mismatch`] where the file asks for
/// another size than the tower, or a std that is not above zero.
pub(super) fn open(folder: &Path, side: usize) -> Result<Preprocess> {
    let path = folder.join("preprocessor_config.json");
    let written: Written = read_json(&path)?;
    let found = match written.size {
        None => (side, side),
        Some(Size::Side(side)) => (side as usize, side as usize),
        Some(Size::Sides { height, width }) => (height as usize, width as usize),
    };
    if found != (side, side) {
        let (height, width) = found;
        let found = format!("{height} x {width}");
        return Err(Error::mismatch(path, "size", format!("{side} x {side}"), found));
    }
    // check_size kept the side far below u32's end.
    let side = side as u32;
    let steps = Preprocess {
        resize: Resize::Exact { height: side, width: side },
        crop: (side, side),
        filter: Filter::Bicubic,
        // The published checkpoints were made with the slow class, which calls Pillow.
        resampling: match written.image_processor_type {
            Some(class) if class.ends_with("Fast") => Resampling::Torchvision,
            _ => Resampling::Pillow,
        },
        mean: written.image_mean.unwrap_or([0.481_454_66, 0.457_827_5, 0.408_210_73]),
        std: written.image_std.unwrap_or([0.268_629_54, 0.261_302_6, 0.275_777_1]),
        ..Preprocess::default()
    };
    let (mean, std) = (steps.mean, steps.std);
    if !mean.iter().all(|v| v.is_finite()) || !std.iter().all(|v| v.is_finite() && *v > 0.0) {
        let found = format!("{mean:?} and {std:?}");
        return Err(Error::mismatch(
            path,
            "image_mean and image_std",
            "numbers, std above 0",
            found,
        ));
    }
    Ok(steps)
}
