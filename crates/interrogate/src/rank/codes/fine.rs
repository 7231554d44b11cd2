//! Score bounds by both parts of a query.

use super::query::Query;

/// Computes the bounds `scale (step I ± error) ± error_bound length` of a score, by both parts
/// of a query.
#[derive(Clone, Copy, Debug)]
pub(in crate::rank) struct Fine {
    step: f32,
    error: f32,
    length: f32,
}

impl Fine {
    pub(in crate::rank) fn new(query: &Query, dim: usize, sign: f32) -> Self {
        // |d| |codes|, with at most 127 for each code, plus the rounding to f32 of |q| |codes|
        // on the way to the bounds, each 2^-24 of it.
        let codes = 127.0 * (dim as f64).sqrt();
        let error = (query.error + query.length * 2f64.powi(-20)) * codes;
        let length = query.length * (1.0 + 2f64.powi(-20));
        Fine { step: sign * query.step as f32, error: error as f32, length: length as f32 }
    }

    /// The lower and upper bound of a score, without its base.
    #[inline(always)]
    pub(in crate::rank) fn bounds(self, sum: i32, scale: f32, error_bound: f32) -> (f32, f32) {
        let product = sum as f32 * self.step;
        let error_bound = error_bound * self.length;
        (scale * (product - self.error) - error_bound, scale * (product + self.error) + error_bound)
    }
}
