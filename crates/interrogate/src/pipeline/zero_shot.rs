//! Zero-shot classification: the probability of each of three labels.

use crate::Result;
use crate::encoder::{Embeddings, ImageEncoder};
use crate::models::Model;
use crate::picture::{Picture, Pixels};
use crate::rank::LOGIT_SCALE;

/// The labels of the task `clip_model`, from the example in CLIP's README (openai/CLIP,
/// README.md, "Usage").
pub const ZERO_SHOT: [&str; 3] = ["a diagram", "a dog", "a cat"];

/// The factor of a cosine before the softmax.
pub const SCALE: f64 = LOGIT_SCALE;

/// The image tower and the labels' embeddings.
pub(super) struct ZeroShot {
    tower: Box<dyn ImageEncoder>,
    labels: Embeddings,
}

impl ZeroShot {
    pub(super) fn new(model: &Model) -> Result<Self> {
        let labels = model.text_encoder()?.encode(&ZERO_SHOT)?;
        Ok(ZeroShot { tower: model.image_encoder()?, labels })
    }

    /// Preprocesses `picture` for the image tower.
    pub(super) fn prepare(&self, picture: &Picture) -> Result<Pixels> {
        self.tower.prepare(picture)
    }

    /// Returns the softmax of [`SCALE`] times the cosines, one row per image.
    pub(super) fn probabilities(&self, pixels: &[&Pixels]) -> Result<Vec<[f32; ZERO_SHOT.len()]>> {
        let features = self.tower.encode_prepared(pixels)?;
        Ok(features.iter().map(|row| softmax(row.as_slice(), &self.labels)).collect())
    }
}

fn softmax(row: &[f32], labels: &Embeddings) -> [f32; ZERO_SHOT.len()] {
    let mut scores = [0.0; ZERO_SHOT.len()];
    for (score, label) in scores.iter_mut().zip(labels.rows()) {
        let products = row.iter().zip(label).map(|(&a, &b)| f64::from(a) * f64::from(b));
        *score = SCALE * products.sum::<f64>();
    }
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = scores.map(|score| (score - highest).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with numpy: exp(100 c - max) / sum for the cosines 0.25, 0.24, 0.2.
    #[test]
    fn probabilities_are_the_softmax_of_a_hundred_cosines() {
        let row = |cosine: f64| [cosine as f32, (1.0 - cosine * cosine).sqrt() as f32];
        let labels = [row(0.25), row(0.24), row(0.2)].concat();
        let labels = Embeddings::new(2, labels).unwrap();
        let found = softmax(&[1.0, 0.0], &labels);
        for (found, expected) in found.into_iter().zip([0.727_475, 0.267_623, 0.004_902]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
