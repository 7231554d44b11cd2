//! The starter's image side: a classifier's likeliest classes as a direction
//! among sentence embeddings.

use super::classes::Classes;
use super::convolve::{ChannelsFirst, ChannelsLast, Convolve};
use super::efficientnet::EfficientNet;
use super::{DIM, SIDE, embedded};
use crate::encoder::{Features, ImageEncoder};
use crate::picture::{Filter, Picture, Pixels, Preprocess, Resize};
use crate::{Error, Result};

/// Turns pictures into unit rows of 384 values beside
/// [`StarterText`](super::StarterText)'s.
#[derive(Debug)]
pub struct StarterImage {
    preprocess: Preprocess,
    pub(super) classifier: EfficientNet,
    classes: Classes,
}

impl StarterImage {
    /// On `device`, or on the processor.
    pub(super) fn open_on(device: Option<&candle_core::Device>) -> Result<Self> {
        // The classifier was trained on (x - 127) / 128 of 0..=255, and scored on
        // the centre 7/8 of a picture: 224 of 256.
        let preprocess = Preprocess {
            resize: Resize::ShorterSide(256),
            filter: Filter::Bicubic,
            crop: (SIDE as u32, SIDE as u32),
            mean: [127.0 / 255.0; 3],
            std: [128.0 / 255.0; 3],
            ..Preprocess::default()
        };
        let convolve: Box<dyn Convolve> = match device {
            Some(device) => Box::new(ChannelsLast(device.clone())),
            None => Box::new(ChannelsFirst),
        };
        Ok(StarterImage {
            preprocess,
            classifier: EfficientNet::load(embedded::classifier()?, convolve)?,
            classes: Classes::new(embedded::classes()?, DIM)?,
        })
    }

    /// The features of each of `pictures` (3, 224, 224) in (x - 127) / 128.
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
            Some(values) => {
                Err(Error::Dim { what: "an image's pixels", expected, found: values.len() })
            }
            None => self.features(&pictures),
        }
    }
}
