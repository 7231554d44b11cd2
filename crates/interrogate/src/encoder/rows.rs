//! Unit rows: the only form in which a model's output leaves it.

use crate::{Error, Result};

/// The embeddings of texts: `len` rows of `dim` f32 values, each of unit length.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    dim: usize,
    values: Vec<f32>,
}

impl Embeddings {
    /// Brings `values`, rows of `dim` values one behind the other, to unit
    /// length.
    ///
    /// # Errors
    /// [`Error::Dim`] where `values` is no whole number of rows,
    /// [`Error::Direction`] where a row is zero or not finite.
    pub fn new(dim: usize, mut values: Vec<f32>) -> Result<Self> {
        let what = "embeddings";
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(Error::Dim { what, expected: dim, found: values.len() });
        }
        for (row, values) in values.chunks_exact_mut(dim).enumerate() {
            normalize(values).ok_or(Error::Direction { what, row })?;
        }
        Ok(Embeddings { dim, values })
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rows, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// All values, row behind row.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }
}

/// The features of one image: `dim` f32 values of unit length.
#[derive(Clone, Debug, PartialEq)]
pub struct Features(Vec<f32>);

impl Features {
    /// Brings `values` to unit length.
    ///
    /// # Errors
    /// [`Error::Direction`] where they are all zero, or one is not finite.
    pub fn new(mut values: Vec<f32>) -> Result<Self> {
        normalize(&mut values).ok_or(Error::Direction { what: "features", row: 0 })?;
        Ok(Features(values))
    }

    /// The mean of `all`, brought to unit length: what a set of images has in
    /// common. Summed in f64 in their order.
    ///
    /// # Errors
    /// [`Error::Dim`] where they are of different widths, [`Error::Direction`] where
    /// there are none, or they cancel out.
    pub fn mean(all: &[Features]) -> Result<Self> {
        let expected = all.first().map_or(0, Features::dim);
        let mut sum = vec![0.0f64; expected];
        for features in all {
            if features.dim() != expected {
                let found = features.dim();
                return Err(Error::Dim { what: "one of the images", expected, found });
            }
            sum.iter_mut().zip(&features.0).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        Features::new(sum.into_iter().map(|sum| (sum / all.len() as f64) as f32).collect())
    }

    /// Number of values.
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The values.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

/// Divides by the Euclidean length, summed in f64; `None` where that is zero or
/// not finite.
fn normalize(values: &mut [f32]) -> Option<()> {
    let length = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return None;
    }
    values.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_with_unit_length() {
        let rows = Embeddings::new(2, vec![3.0, 4.0, 0.0, -2.0]).unwrap();
        assert_eq!(rows.as_slice(), [0.6, 0.8, 0.0, -1.0]);
        assert_eq!((rows.len(), rows.dim()), (2, 2));
    }

    #[test]
    fn a_mean_has_what_all_have_in_common() {
        let features = |values: &[f32]| Features::new(values.to_vec()).unwrap();
        let mean = Features::mean(&[features(&[1.0, 0.0]), features(&[0.0, 3.0])]).unwrap();
        assert_eq!(mean, features(&[1.0, 1.0]));
        assert!(Features::mean(&[]).is_err());
        assert!(Features::mean(&[features(&[1.0]), features(&[-1.0])]).is_err());
        assert!(Features::mean(&[features(&[1.0]), features(&[1.0, 2.0])]).is_err());
    }

    #[test]
    fn lengths_beyond_f32_are_no_obstacle() {
        let huge = Features::new(vec![3e38, 3e38]).unwrap();
        assert!((huge.as_slice()[0] - 0.5f32.sqrt()).abs() < 1e-7);
        let tiny = Features::new(vec![0.0, 1e-40]).unwrap();
        assert_eq!(tiny.as_slice(), [0.0, 1.0]);
    }

    #[test]
    fn a_row_without_direction_is_named() {
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            let error = Embeddings::new(1, vec![1.0, bad]).unwrap_err().to_string();
            assert_eq!(error, "row 1 of the embeddings is zero or not finite");
        }
        assert!(Features::new(vec![]).is_err());
    }

    #[test]
    fn half_a_row_is_refused() {
        assert!(matches!(Embeddings::new(2, vec![1.0; 3]), Err(Error::Dim { .. })));
        assert!(matches!(Embeddings::new(0, vec![]), Err(Error::Dim { .. })));
    }
}
