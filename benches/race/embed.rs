//! Features from pixels. Another bench measures decoding and resizing.

use std::path::PathBuf;

use interrogate::Compute;
use interrogate::clip::{Checkpoint, ClipVision};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encode::precision;
use crate::{Result, turns};

/// Which image tower to load.
#[derive(Deserialize)]
pub(crate) struct Load {
    checkpoint: PathBuf,
    precision: String,
}

/// A loaded image tower.
pub(crate) struct Image {
    encoder: ClipVision,
}

impl Load {
    pub(crate) fn run(self, image: &mut Option<Image>) -> Result<Value> {
        *image = None;
        let compute =
            Compute { precision: Some(precision(&self.precision)?), ..Compute::default() };
        let encoder = Checkpoint::open(&self.checkpoint)?.image_encoder_with(&compute)?;
        let size = encoder.image_size();
        *image = Some(Image { encoder });
        Ok(json!({ "image_size": size }))
    }
}

/// The features of pixels (images, 3, height, width): little-endian f32.
#[derive(Deserialize)]
pub(crate) struct Embed {
    pixels: PathBuf,
    runs: usize,
    out: Option<PathBuf>,
}

impl Embed {
    pub(crate) fn run(self, image: Option<&Image>) -> Result<Value> {
        let encoder = &image.ok_or("embed: no image tower is loaded")?.encoder;
        let pixels = turns::read(&self.pixels)?;
        let (ms, rows) = turns::time((1, self.runs), || Ok(encoder.features(&pixels)?))?;
        let rows: Vec<f32> = rows.iter().flat_map(|row| row.as_slice()).copied().collect();
        turns::write(self.out.as_deref(), &rows)?;
        Ok(json!({ "ms": ms }))
    }
}
