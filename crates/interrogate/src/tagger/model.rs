//! A tagger: preprocessing, an image tower and a sigmoid.

use std::path::Path;

use rayon::prelude::*;

use super::selection::{self, Selection, Thresholds};
use super::tags::{self, Tag};
use super::{Config, TAGS};
use crate::error::RowsError;
#[cfg(doc)]
use crate::error::{CheckpointError, DeviceError, PictureError, WeightsError};
use crate::nn::Compute;
use crate::picture::{Picture, Pixels, Preprocess};
use crate::vision::Tower;
use crate::weights::Weights;
use crate::{Error, Result};

/// The color around and under an image: white. Decode with it as the
/// [background](crate::picture::DecodeOptions::background), as the tools for these taggers do.
pub const BACKGROUND: [u8; 3] = [255; 3];

/// A tagger with its tags.
#[derive(Debug)]
pub struct Tagger {
    tower: Tower,
    tags: Vec<Tag>,
    /// The steps after the picture is on a square of its size.
    steps: Preprocess,
}

impl Tagger {
    /// Opens the tagger in `folder`: config.json, model.safetensors and selected_tags.csv.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`]; [`Error::Mismatch`] for an architecture or an argument
    /// that is not supported and for tags that are not those of the model;
    /// [`WeightsError::Missing`], [`WeightsError::Shape`], [`WeightsError::Surplus`]; those of a
    /// [`Device`](crate::Device) that is not available.
    pub fn open(folder: &Path, compute: &Compute) -> Result<Self> {
        Self::open_on(folder, compute, compute.opened()?.as_ref())
    }

    /// Opens the tagger on `device`, or on the CPU for this library's own kernels.
    pub(super) fn open_on(
        folder: &Path,
        compute: &Compute,
        device: Option<&candle_core::Device>,
    ) -> Result<Self> {
        let config = Config::open(&folder.join("config.json"))?;
        let path = folder.join(TAGS);
        let tags = tags::read(&path)?;
        if tags.len() != config.classes {
            let expected = format!("{} as in config.json", config.classes);
            return Err(Error::mismatch(path, "tags", expected, tags.len()));
        }
        let weights = config.viewed(Weights::open_folder(folder)?)?;
        weights.check(&config.vision.weights(config.classes).into_vec(), |_| false)?;
        let tower = Tower::load(&config.vision, config.classes, &weights, compute, device)?;
        Ok(Tagger { tower, tags, steps: config.steps })
    }

    /// Returns the tags, in the order of the scores.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Returns the height and width of the tower's input in pixels.
    pub fn image_size(&self) -> usize {
        self.tower.image_size()
    }

    /// Returns the tower's input for `picture`: centered on a white square, resized, normalized,
    /// with the channels in the order blue, green, red (wdv3_timm.py of neggles/wdv3-timm, which
    /// the taggers' pages name). Uses the calling thread only.
    ///
    /// # Errors
    /// [`PictureError::Resize`] for a side that is too long.
    pub fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        let square = picture.on_square(self.steps.crop.0, BACKGROUND, self.steps.filter)?;
        let mut values = self.steps.pixels(&square)?;
        let area = values.len() / 3;
        let (red, rest) = values.split_at_mut(area);
        red.swap_with_slice(&mut rest[area..]);
        Ok(Pixels::new(values))
    }

    /// Returns the scores of prepared images, one from 0 to 1 for each tag, in order. On the CPU,
    /// the other images of the call do not change the bits of a score.
    ///
    /// # Errors
    /// [`RowsError::Dim`] for pixels of another size, [`RowsError::Direction`] if a score is not
    /// a number, [`DeviceError::Tensors`], [`DeviceError::OutOfMemory`].
    pub fn score_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Vec<f32>>> {
        let mut scores = Vec::with_capacity(pixels.len());
        for pixels in pixels.chunks(self.tower.images_per_call()) {
            let rows = self.tower.rows(&Pixels::joined(pixels))?;
            let rows = rows.chunks_exact(self.tower.dim());
            scores.extend(rows.map(|row| row.iter().map(|logit| sigmoid(*logit)).collect()));
        }
        match scores.iter().position(|row: &Vec<f32>| row.iter().any(|score| score.is_nan())) {
            Some(row) => Err(Error::Rows(RowsError::Direction { what: "tag scores", row })),
            None => Ok(scores),
        }
    }

    /// Returns the scores of `pictures`, in order: [`prepare`](Self::prepare) on all threads,
    /// then [`score_prepared`](Self::score_prepared).
    ///
    /// # Errors
    /// Those of both.
    pub fn score(&self, pictures: &[Picture]) -> Result<Vec<Vec<f32>>> {
        let pixels = pictures.par_iter().map(|picture| self.prepare(picture));
        let pixels = pixels.collect::<Result<Vec<Pixels>>>()?;
        self.score_prepared(&pixels.iter().collect::<Vec<_>>())
    }

    /// Selects the tags of an image by its `scores`.
    pub fn select(&self, scores: &[f32], thresholds: &Thresholds) -> Selection<'_> {
        selection::select(&self.tags, scores, thresholds)
    }
}

/// The logistic function.
fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
