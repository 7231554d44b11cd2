//! The starter's image side: a classifier's likeliest classes as a direction
//! among sentence embeddings.

use rayon::prelude::*;

use super::classes::Classes;
use super::efficientnet::{EfficientNet, SIDE};
use super::{DIM, embedded};
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
    pub(super) fn open() -> Result<Self> {
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
        let classifier = EfficientNet::new(embedded::classifier()?)?;
        Ok(StarterImage {
            preprocess,
            classifier,
            classes: Classes::new(embedded::classes()?, DIM)?,
        })
    }

    /// The features of `pixels` (3, 224, 224) in (x - 127) / 128.
    pub(super) fn features(&self, pixels: Vec<f32>) -> Result<Features> {
        self.classes.features(&self.classifier.logits(pixels)?)
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
        let encode = |pixels: &&Pixels| match pixels.as_slice() {
            values if values.len() == expected => self.features(values.to_vec()),
            values => Err(Error::Dim { what: "an image's pixels", expected, found: values.len() }),
        };
        pixels.par_iter().map(encode).collect()
    }
}
