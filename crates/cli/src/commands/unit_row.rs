//! Rows of .npy files at unit length.

use crate::error::CliError;
use crate::output::npy::Reader;

/// Reads the next row, number `row`, and divides it by its length.
///
/// # Errors
/// [`CliError::ZeroRow`] where the length is zero or not finite, and those of [`Reader::row`].
pub(super) fn read(reader: &mut Reader, row: usize) -> Result<Vec<f64>, CliError> {
    let values = normalized(reader.row()?);
    values.ok_or_else(|| CliError::ZeroRow { path: reader.path.clone(), row })
}

/// Returns the row divided by its length; `None` if that is zero or not finite.
pub(super) fn normalized(mut row: Vec<f64>) -> Option<Vec<f64>> {
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then_some(())?;
    row.iter_mut().for_each(|value| *value /= length);
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_without_a_direction_is_not_normalized() {
        assert_eq!(normalized(vec![3.0, 4.0]), Some(vec![0.6, 0.8]));
        assert_eq!(normalized(vec![0.0, 0.0]), None);
        assert_eq!(normalized(vec![f64::NAN, 1.0]), None);
        assert_eq!(normalized(vec![f64::INFINITY, 1.0]), None);
    }
}
