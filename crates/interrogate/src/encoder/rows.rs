//! Unit rows, the output of every model.

use rayon::prelude::*;

use crate::error::RowsError;
use crate::{Error, Result};

/// Rows that a thread normalizes in one task, at least.
const ROWS: usize = 64;

/// The embeddings of texts: `len` rows of `dim` f32 values, each of unit length.
///
/// ```
/// use interrogate::encoder::Embeddings;
///
/// let rows = Embeddings::new(2, vec![3.0, 4.0, 0.0, -2.0])?;
/// assert_eq!((rows.len(), rows.dim()), (2, 2));
/// assert_eq!(rows.as_slice(), [0.6, 0.8, 0.0, -1.0]);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    dim: usize,
    values: Vec<f32>,
}

impl Embeddings {
    /// Normalizes each row of `values` (rows, dim) to unit length.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if `values` is not a whole number of rows, [`RowsError::Direction`] if a row
    /// is zero or not finite.
    pub fn new(dim: usize, mut values: Vec<f32>) -> Result<Self> {
        let what = "embeddings";
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(Error::Rows(RowsError::Dim { what, expected: dim, found: values.len() }));
        }
        let rows = values.par_chunks_exact_mut(dim).with_min_len(ROWS).enumerate();
        let invalid = rows.find_map_first(|(row, values)| match normalize(values) {
            Some(()) => None,
            None => Some(row),
        });
        match invalid {
            Some(row) => Err(Error::Rows(RowsError::Direction { what, row })),
            None => Ok(Embeddings { dim, values }),
        }
    }

    /// Returns the width of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the rows, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// Returns all values (rows, dim).
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }
}

/// The features of one image: `dim` f32 values of unit length.
///
/// ```
/// use interrogate::encoder::Features;
///
/// let features = [Features::new(vec![1.0, 0.0])?, Features::new(vec![0.0, 3.0])?];
/// let mean = Features::mean(&features)?;
/// assert_eq!(mean, Features::new(vec![1.0, 1.0])?);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Features(Vec<f32>);

impl Features {
    /// Normalizes `values` to unit length.
    ///
    /// # Errors
    /// [`RowsError::Direction`] if all values are zero, or one is not finite.
    pub fn new(mut values: Vec<f32>) -> Result<Self> {
        normalize(&mut values)
            .ok_or(Error::Rows(RowsError::Direction { what: "features", row: 0 }))?;
        Ok(Features(values))
    }

    /// Returns the mean of the features of several images, normalized to unit length. Sums
    /// in f64, in order.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the widths differ, [`RowsError::Direction`] if `all` is empty or the
    /// features cancel out.
    pub fn mean(all: &[Features]) -> Result<Self> {
        let expected = all.first().map_or(0, Features::dim);
        let mut sum = vec![0.0f64; expected];
        for features in all {
            if features.dim() != expected {
                let found = features.dim();
                return Err(Error::Rows(RowsError::Dim {
                    what: "one of the images",
                    expected,
                    found,
                }));
            }
            sum.iter_mut().zip(&features.0).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        Features::new(sum.into_iter().map(|sum| (sum / all.len() as f64) as f32).collect())
    }

    /// Returns the number of values.
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// Returns the values.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}

/// Divides by the Euclidean length, summed in f64; `None` if the length is zero or not finite.
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
    fn rows_are_normalized() {
        let rows = Embeddings::new(2, vec![3.0, 4.0, 0.0, -2.0]).unwrap();
        assert_eq!(rows.as_slice(), [0.6, 0.8, 0.0, -1.0]);
        assert_eq!((rows.len(), rows.dim()), (2, 2));
    }

    #[test]
    fn mean_is_normalized_and_checks_its_input() {
        let features = |values: &[f32]| Features::new(values.to_vec()).unwrap();
        let mean = Features::mean(&[features(&[1.0, 0.0]), features(&[0.0, 3.0])]).unwrap();
        assert_eq!(mean, features(&[1.0, 1.0]));
        assert!(Features::mean(&[]).is_err());
        assert!(Features::mean(&[features(&[1.0]), features(&[-1.0])]).is_err());
        assert!(Features::mean(&[features(&[1.0]), features(&[1.0, 2.0])]).is_err());
    }

    #[test]
    fn lengths_beyond_f32_are_normalized() {
        let huge = Features::new(vec![3e38, 3e38]).unwrap();
        assert!((huge.as_slice()[0] - 0.5f32.sqrt()).abs() < 1e-7);
        let tiny = Features::new(vec![0.0, 1e-40]).unwrap();
        assert_eq!(tiny.as_slice(), [0.0, 1.0]);
    }

    #[test]
    fn a_zero_or_infinite_row_is_reported() {
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            let error = Embeddings::new(1, vec![1.0, bad]).unwrap_err().to_string();
            assert_eq!(error, "row 1 of the embeddings is zero or not finite");
        }
        assert!(Features::new(vec![]).is_err());
    }

    #[test]
    fn a_partial_row_is_refused() {
        assert!(matches!(
            Embeddings::new(2, vec![1.0; 3]),
            Err(Error::Rows(RowsError::Dim { .. }))
        ));
        assert!(matches!(Embeddings::new(0, vec![]), Err(Error::Rows(RowsError::Dim { .. }))));
    }
}
