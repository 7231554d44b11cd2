//! Verifies the rows of a shard and the error bounds of their codes.

use std::path::Path;

use half::f16;
use rayon::prelude::*;

#[cfg(doc)]
use crate::error::IndexError;
use crate::index::Shard;
use crate::index::format::{is_unit, square};
use crate::mmap::Mmap;
use crate::rank::codes::{Coder, Codes};
use crate::{Error, Result};

/// Rows that a thread verifies in one task.
const ROWS_PER_TASK: usize = 256;

/// Checks that rows have unit length and that codes are within their error bounds.
///
/// # Errors
/// [`IndexError::Damaged`], which names the first invalid row.
pub(super) fn check(path: &Path, shard: &Shard<Mmap>) -> Result<()> {
    let (dim, codes) = (shard.dim(), shard.codes());
    if let Some(codes) = codes
        && !codes.mean().iter().all(|value| value.is_finite())
    {
        return Err(Error::damaged(path, "mean", "finite values", "others"));
    }
    if let Some(spread) = codes.and_then(|codes| codes.spread())
        && let Some((at, found)) =
            spread.iter().enumerate().find(|(_, w)| !(0.0 < **w && **w <= 1.0))
    {
        let found = format!("{found} at {at}");
        return Err(Error::damaged(path, "spread", "above 0 and at most 1", found));
    }
    let found =
        shard.rows().par_chunks(ROWS_PER_TASK * dim).enumerate().find_map_first(|(piece, rows)| {
            let first = piece * ROWS_PER_TASK;
            let coder = |codes: Codes<'_>| {
                Coder::new(codes.mean().to_vec(), codes.spread().unwrap_or_default().to_vec())
            };
            let mut coder = codes.map(coder);
            rows.chunks_exact(dim).zip(first..).find_map(|(values, row)| {
                let square = square(values);
                if !is_unit(square) {
                    let found = format!("length {} in row {row}", square.sqrt());
                    return Some(Error::damaged(path, "rows", "unit length", found));
                }
                let (codes, coder) = (codes?, coder.as_mut()?);
                check_codes(codes, coder, values, row).err().map(|(expected, found)| {
                    Error::damaged(path, "codes", expected, format!("{found} in row {row}"))
                })
            })
        });
    found.map_or(Ok(()), Err)
}

/// Checks that the codes of `row` bound its scores. The error is the expected and the found
/// value.
fn check_codes(
    codes: Codes<'_>,
    coder: &mut Coder,
    values: &[f16],
    row: usize,
) -> Result<(), (String, String)> {
    let row_codes = &codes.codes()[row * codes.dim()..][..codes.dim()];
    let (scale, bound) = (codes.scales()[row], codes.error_bounds()[row]);
    if row_codes.contains(&i8::MIN) {
        return Err(("codes from -127 to 127".to_owned(), i8::MIN.to_string()));
    }
    if !scale.is_finite() || scale < 0.0 {
        return Err(("a finite scale".to_owned(), scale.to_string()));
    }
    let needed = coder.error_bound(values, row_codes, scale);
    if bound >= needed {
        Ok(())
    } else {
        Err((format!("an error bound of {needed}"), bound.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoder::Features;

    proptest! {
        #[test]
        fn a_unit_row_rounded_to_f16_is_within_tolerance(
            values in prop::collection::vec(-1f32..1.0, 1..600),
        ) {
            prop_assume!(values.iter().any(|v| *v != 0.0));
            let row = Features::new(values).unwrap();
            let row: Vec<f16> = row.as_slice().iter().map(|v| f16::from_f32(*v)).collect();
            prop_assert!(is_unit(square(&row)));
        }
    }

    #[test]
    fn the_widest_row_of_equal_values_is_within_tolerance() {
        let dim = crate::index::format::MAX_DIM;
        let row = vec![f16::from_f32((dim as f32).sqrt().recip()); dim];
        assert!(is_unit(square(&row)));
    }

    #[test]
    fn nan_infinity_and_other_lengths_are_not_unit() {
        for row in [f16::NAN, f16::INFINITY, f16::ZERO, f16::from_f32(1.01)] {
            assert!(!is_unit(square(&[row])), "{row}");
        }
    }
}
