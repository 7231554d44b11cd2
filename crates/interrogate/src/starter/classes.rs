//! Maps class probabilities to sentence embeddings: ConSE.
//!
//! Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic
//! Embeddings", 2013, arXiv 1312.5650. The features of an image are the mean of the
//! embeddings of its likeliest classes, weighted by their probabilities. Here the mean of all
//! classes is subtracted from images and texts, because "a photo of a" gives all class
//! embeddings the same component, which carries no information.

use super::efficientnet::CLASSES;
use crate::Result;
use crate::encoder::{Embeddings, Features};
#[cfg(doc)]
use crate::error::RowsError;
use crate::weights::Weights;

/// The number of likeliest classes in the mean (T in the paper).
const TOP_CLASSES: usize = 10;

/// The embedding of "a photo of a <class>" for each class, and their mean.
#[derive(Debug)]
pub(super) struct Classes {
    dim: usize,
    /// (1000, dim), unit rows.
    pub(super) embeddings: Vec<f32>,
    pub(super) mean: Vec<f32>,
}

impl Classes {
    /// Loads both tensors, and refuses others.
    pub(super) fn new(weights: Weights, dim: usize) -> Result<Self> {
        let embeddings = weights.values("embeddings", &[CLASSES, dim])?;
        let mean = weights.values("mean", &[dim])?;
        weights.finish(|_| false)?;
        Ok(Classes { dim, embeddings, mean })
    }

    /// Returns the features of an image from its `logits` (1000).
    ///
    /// # Errors
    /// [`RowsError::Direction`] if a logit is not finite, or the classes cancel out.
    pub(super) fn features(&self, logits: &[f32]) -> Result<Features> {
        let mut features = vec![0.0; self.dim];
        for (class, weight) in likeliest(logits) {
            let embedding = self.embeddings.chunks_exact(self.dim).nth(class).unwrap_or_default();
            for ((sum, value), mean) in features.iter_mut().zip(embedding).zip(&self.mean) {
                *sum += weight * (value - mean);
            }
        }
        Features::new(features)
    }

    /// Subtracts the mean of the classes from text embeddings.
    ///
    /// # Errors
    /// [`RowsError::Direction`] for an embedding equal to the mean.
    pub(super) fn center(&self, embeddings: &Embeddings) -> Result<Embeddings> {
        let center = |row: &[f32]| -> Vec<f32> {
            row.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect()
        };
        Embeddings::new(self.dim, embeddings.rows().flat_map(center).collect())
    }
}

/// Returns the [`TOP_CLASSES`] classes with the highest logits, highest first, ties by class
/// number, each with its probability divided by the highest one. The common factor does not
/// change the direction of the weighted sum.
pub(super) fn likeliest(logits: &[f32]) -> Vec<(usize, f32)> {
    let mut classes: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    classes.truncate(TOP_CLASSES);
    let highest = classes.first().map_or(0.0, |&(_, logit)| logit);
    classes.into_iter().map(|(class, logit)| (class, (logit - highest).exp())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::error::RowsError;

    /// Three classes of two dimensions, whose mean is not the origin.
    fn classes() -> Classes {
        Classes { dim: 2, embeddings: vec![1., 0., 0., 1., 0.5, 0.5], mean: vec![0.5, 0.5] }
    }

    #[test]
    fn the_likeliest_classes_come_first_and_ties_by_number() {
        let mut logits = vec![0.0; CLASSES];
        (logits[7], logits[3], logits[900]) = (2.0, 5.0, 2.0);
        let likeliest = likeliest(&logits);
        let order: Vec<usize> = likeliest.iter().map(|&(class, _)| class).collect();
        assert_eq!(order, [3, 7, 900, 0, 1, 2, 4, 5, 6, 8]);
        assert_eq!(likeliest[0].1, 1.0);
        assert!((likeliest[1].1 - (-3f32).exp()).abs() < 1e-7);
    }

    #[test]
    fn a_certain_class_determines_the_features() {
        let features = classes().features(&[50.0, 0.0, 0.0]).unwrap();
        let half = 0.5f32.sqrt();
        assert!((features.as_slice()[0] - half).abs() < 1e-6, "{features:?}");
        assert!((features.as_slice()[1] + half).abs() < 1e-6, "{features:?}");
    }

    #[test]
    fn extreme_logits_have_features() {
        assert!(classes().features(&[3e38, -3e38, f32::MIN]).is_ok());
    }

    #[test]
    fn classes_that_cancel_and_invalid_logits_are_refused() {
        for logits in [[1.0, 1.0, 0.0], [f32::NAN, 0.0, 0.0], [f32::INFINITY, 0.0, 0.0]] {
            let error = classes().features(&logits).unwrap_err();
            assert!(matches!(error, Error::Rows(RowsError::Direction { .. })), "{error}");
            assert_eq!(error.to_string(), "row 0 of the features is zero or not finite");
        }
    }

    #[test]
    fn texts_are_centered_like_images() {
        let texts = Embeddings::new(2, vec![1.0, 0.0]).unwrap();
        let centered = classes().center(&texts).unwrap();
        let half = 0.5f32.sqrt();
        assert!((centered.as_slice()[0] - half).abs() < 1e-6);
        assert!((centered.as_slice()[1] + half).abs() < 1e-6);
    }
}
