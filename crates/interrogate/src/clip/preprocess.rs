//! preprocessor_config.json (stand-in until the `picture` branch's).

use std::path::Path;

use serde::Deserialize;

use crate::picture::Preprocess;
use crate::{Error, Result};

#[derive(Deserialize)]
struct File {
    crop_size: Size,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

#[derive(Deserialize)]
struct Size {
    height: u32,
    width: u32,
}

/// Reads the file at `path`.
pub(super) fn open(path: &Path) -> Result<Preprocess> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let file: File = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: path.to_owned(), source })?;
    Ok(Preprocess {
        shorter_side: file.crop_size.height,
        crop: (file.crop_size.height, file.crop_size.width),
        mean: file.image_mean,
        std: file.image_std,
    })
}
