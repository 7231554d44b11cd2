//! The starter's image encoder: a classifier whose likeliest classes are mapped to sentence
//! embeddings.

use super::classes::Classes;
use super::convolve::{OnCpu, OnDevice};
use super::efficientnet::{Classifier, EfficientNet};
use super::files::Files;
use super::{DIM, SIDE, embedded};
use crate::encoder::{Features, ImageEncoder};
use crate::error::RowsError;
use crate::picture::{Filter, Picture, Pixels, Preprocess, Resize};
use crate::{Error, Result};

/// Encodes images to unit rows of 384 values, in the space of
/// [`StarterText`](super::StarterText).
#[derive(Debug)]
pub struct StarterImage {
    preprocess: Preprocess,
    pub(super) classifier: Box<dyn Classifier>,
    classes: Classes,
}

impl StarterImage {
    /// Loads the encoder on `device`, or on the CPU.
    pub(super) fn open_on(files: &Files, device: Option<&candle_core::Device>) -> Result<Self> {
        // The classifier was trained on (x - 127) / 128 of 0..=255, and evaluated on the
        // central 7/8 of an image: 224 of 256.
        let preprocess = Preprocess {
            resize: Resize::ShorterSide(256),
            filter: Filter::Bicubic,
            crop: (SIDE as u32, SIDE as u32),
            mean: [127.0 / 255.0; 3],
            std: [128.0 / 255.0; 3],
            ..Preprocess::default()
        };
        let weights = files.weights(&embedded::CLASSIFIER)?;
        let classifier: Box<dyn Classifier> = match device {
            Some(device) => Box::new(EfficientNet::load(weights, OnDevice(device.clone()))?),
            None => Box::new(EfficientNet::load(weights, OnCpu)?),
        };
        Ok(StarterImage {
            preprocess,
            classifier,
            classes: Classes::new(files.weights(&embedded::CLASSES)?, DIM)?,
        })
    }

    /// Returns the features of each image (3, 224, 224), whose pixels are (x - 127) / 128.
    pub(super) fn features(&self, pictures: &[&[f32]]) -> Result<Vec<Features>> {
        let logits = self.classifier.logits(pictures)?;
        logits.iter().map(|logits| self.classes.features(logits)).collect()
    }
}

impl ImageEncoder for StarterImage {
    fn dim(&self) -> usize {
        DIM
    }

    fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.preprocess.prepare(picture)
    }

    fn encode_prepared(&self, pixels: &[&Pixels]) -> Result<Vec<Features>> {
        let expected = 3 * SIDE * SIDE;
        let pictures: Vec<&[f32]> = pixels.iter().map(|pixels| pixels.as_slice()).collect();
        match pictures.iter().find(|values| values.len() != expected) {
            Some(values) => Err(Error::Rows(RowsError::Dim {
                what: "an image's pixels",
                expected,
                found: values.len(),
            })),
            None => self.features(&pictures),
        }
    }
}
