//! Quantized codes: one byte per value, with a proven error bound per row.
//!
//! A scan over codes reads a quarter of the bytes of f32 rows and half of those of f16 rows, and
//! its products are of integers. It yields bounds of each score instead of the score; the exact
//! ranking reads the rows only where the bounds leave it undecided (`coarse`).
//!
//! # The code of a row
//! Rows are coded in blocks. `m` is the mean of a block's rows, and `r = x - m`. The spread `w`
//! of a dimension is the square root of its standard deviation over the rows, relative to the
//! greatest one. `scale = max |r / w| / 127`, `codes = round(r / (scale w))`, and `e = r - scale
//! w codes` is the rounding error.
//!
//! Real embeddings share a large mean, and differ most in a few dimensions. Codes of the rows
//! themselves would spend their steps on the mean, and steps of one width would be as wide as
//! the few large dimensions need. The query is multiplied by `w` and quantized too; the square
//! root divides the spread between the two.
//!
//! # The error bound
//! For a query `q`, exactly,
//!
//! ```text
//! q.x = q.m + scale (wq.codes) + q.e      and |q.e| <= |q| |e|   (Cauchy, Schwarz)
//! ```
//!
//! where `wq` is the elementwise product of `w` and `q`.
//!
//! The error bound of a row is `|e|` plus the error of the f32 sums of `dot`, `(dim / 16 + 6)
//! 2^-24 |x|`, rounded up. The query is quantized as well (see `query`): `wq = step Q + d` with
//! integers `Q`, so that `wq.codes` becomes an exact integer product and an error of at most
//! `|d| |codes|`. [`Coder`] computes codes and their error bounds;
//! [`Index::verify`](crate::index::Index::verify) checks stored bounds against it.
//!
//! A shard stores error bounds under the name `slack`.

mod coder;
mod coding;
pub(super) mod fine;
pub(super) mod kernel;
pub(super) mod query;

use std::ops::Range;

pub use coder::{Coded, Coder};
pub use coding::Coding;

use crate::error::RowsError;
use crate::{Error, Result};

/// The kernel that this processor scans codes with: `avx512`, `avxvnni`, `avx2`, `dotprod` or
/// `portable`. They differ in speed alone.
pub fn kernel() -> &'static str {
    kernel::Kernel::best().name()
}

/// The codes of a block of rows, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    mean: &'a [f32],
    spread: Option<&'a [f32]>,
    scales: &'a [f32],
    error_bounds: &'a [f32],
    codes: &'a [i8],
}

impl<'a> Codes<'a> {
    /// Creates codes (rows, dim) with the scale and the error bound of each row (rows), the mean
    /// (dim) that was subtracted and the spread (dim) that was divided by; without a spread it
    /// is 1.
    ///
    /// The values are trusted: a ranking by codes that [`Coder`] did not compute stays in bounds
    /// of memory, and may be wrong.
    ///
    /// # Errors
    /// [`RowsError::Codes`] if the lengths do not match.
    pub fn new(
        mean: &'a [f32],
        spread: Option<&'a [f32]>,
        scales: &'a [f32],
        error_bounds: &'a [f32],
        codes: &'a [i8],
    ) -> Result<Self> {
        let (rows, dim) = (scales.len(), mean.len());
        let all = Codes { mean, spread, scales, error_bounds, codes };
        let spread = spread.is_none_or(|spread| spread.len() == dim);
        if !spread || error_bounds.len() != rows || Some(codes.len()) != rows.checked_mul(dim) {
            return Err(all.unlike(rows, dim));
        }
        Ok(all)
    }

    /// Returns the error that these are not codes of `rows` rows of `dim` values.
    pub(super) fn unlike(&self, rows: usize, dim: usize) -> Error {
        let Codes { mean, spread, scales, error_bounds, codes } = self;
        let spread = spread.unwrap_or(mean);
        let found = [codes.len(), scales.len(), error_bounds.len(), mean.len(), spread.len()];
        Error::Rows(RowsError::Codes { rows, dim, found })
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// The mean that was subtracted from every row, (dim).
    pub fn mean(&self) -> &'a [f32] {
        self.mean
    }

    /// The spread of each dimension, (dim): above 0 and at most 1. `None` if all are 1.
    pub fn spread(&self) -> Option<&'a [f32]> {
        self.spread
    }

    /// The scale of each row, (rows).
    pub fn scales(&self) -> &'a [f32] {
        self.scales
    }

    /// The error bound of each row, (rows): the greatest difference between its score and that
    /// of its codes, for a query of length 1.
    pub fn error_bounds(&self) -> &'a [f32] {
        self.error_bounds
    }

    /// The codes, (rows, dim).
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// The codes of the rows in `range`, which must be in bounds.
    pub(super) fn rows(&self, range: Range<usize>) -> Codes<'a> {
        let dim = self.mean.len();
        Codes {
            scales: &self.scales[range.clone()],
            error_bounds: &self.error_bounds[range.clone()],
            codes: &self.codes[range.start * dim..range.end * dim],
            ..*self
        }
    }
}
