//! Codes: eight bits a value, and how wrong a score taken from them can be.
//!
//! A scan over codes reads a quarter of what f32 rows take and half of what f16
//! rows take, and its products are of integers. It does not give the score, but
//! bounds of it from both sides, and with those the exact ranking needs the rows
//! themselves only where the bounds leave a doubt (`coarse`).
//!
//! # The code of a row
//! With `m` the mean of the rows that were coded together, `r = x - m` is what a
//! row `x` has of its own. `w`, the spread, is the square root of what the standard
//! deviation of the rows is in each dimension, as a share of the greatest. `scale = max |r / w| / 127`, `codes =
//! round(r / (scale w))`, and `e = r - scale w codes` is what is lost. Real
//! embeddings share a large mean and differ most in a few dimensions: codes of the
//! rows themselves would spend their steps on the one, and steps of one width for
//! all dimensions would be as wide as the few need them. The query is multiplied by
//! what the row is divided by, and is rounded too: the root shares the spread
//! between the two.
//!
//! # The bound
//! For a query `q`, exactly,
//!
//! ```text
//! q.x = q.m + scale (wq.codes) + q.e      and |q.e| <= |q| |e|   (Cauchy, Schwarz)
//! ```
//!
//! where `wq` has the products of `w` and `q`, dimension by dimension.
//!
//! `slack` is `|e|`, and beside it what the f32 sums of `dot` may be off:
//! `(dim / 16 + 6) 2^-24 |x|`. It is rounded up. The query is coded as well (see
//! `query`): `wq = step Q + d`, Q of integers, so that `wq.codes` becomes a product of
//! integers, which has no rounding, and an error of at most `|d| |codes|`.
//! [`Coder`] makes codes and says what slack they need, which is how
//! [`Index::verify`](crate::index::Index::verify) proves those that it reads.

mod coder;
mod coding;
pub(super) mod fine;
pub(super) mod kernel;
pub(super) mod query;

use std::ops::Range;

pub use coder::{Coded, Coder};
pub use coding::Coding;

use crate::{Error, Result};

/// Which code this processor runs over codes: `avx512`, `avxvnni`, `avx2`, `dotprod`
/// or `portable`. They differ in speed alone.
pub fn kernel() -> &'static str {
    kernel::Kernel::best().name()
}

/// The codes of a block of rows, where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    mean: &'a [f32],
    spread: Option<&'a [f32]>,
    scales: &'a [f32],
    error_bounds: &'a [f32],
    codes: &'a [i8],
}

impl<'a> Codes<'a> {
    /// Codes (rows, dim) with the scale and the slack of each row (rows), the mean
    /// (dim) that was taken off and the spread (dim) that was divided by: without
    /// one, 1. Their values are taken on trust: a ranking by codes that [`Coder`]
    /// did not make is in bounds of memory, and wrong.
    ///
    /// # Errors
    /// [`Error::Codes`] where the lengths do not belong together.
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

    /// These are not the codes of `rows` rows of `dim` values.
    pub(super) fn unlike(&self, rows: usize, dim: usize) -> Error {
        let Codes { mean, spread, scales, error_bounds, codes } = self;
        let spread = spread.unwrap_or(mean);
        let found = [codes.len(), scales.len(), error_bounds.len(), mean.len(), spread.len()];
        Error::Codes { rows, dim, found }
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// What was taken off every row, (dim).
    pub fn mean(&self) -> &'a [f32] {
        self.mean
    }

    /// What the codes of each dimension are multiplied by besides a row's scale,
    /// (dim), above 0 and at most 1; `None` where all are 1.
    pub fn spread(&self) -> Option<&'a [f32]> {
        self.spread
    }

    /// What the codes of each row are multiplied by, (rows).
    pub fn scales(&self) -> &'a [f32] {
        self.scales
    }

    /// How far each row's score may be from that of its codes, for a query of
    /// length 1, (rows).
    pub fn error_bounds(&self) -> &'a [f32] {
        self.error_bounds
    }

    /// The codes, (rows, dim).
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// The codes of the rows `range`, which must be within.
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
