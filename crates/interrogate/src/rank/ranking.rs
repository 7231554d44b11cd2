//! Exact top-k: by a coarse scan and rescoring, or by a full scan.

use super::codes::kernel;
use super::{Hit, Order, Rows, coarse, scan};
use crate::encoder::Features;
use crate::error::RowsError;
use crate::{Error, Result};

/// Above 1/8 of the rows, a full scan is as fast as a coarse scan and rescoring.
const MAX_COARSE_SHARE: usize = 8;

impl Rows<'_> {
    /// Returns the first `k` rows of each query's ranking: one list per query, in the order of
    /// `queries`. If `k` exceeds the number of rows, a list has all of them.
    ///
    /// A list is sorted by score; of equal scores the lower row number comes first, in either
    /// [`Order`]. The result is exact, with the same bits on every processor and in any batch.
    ///
    /// The work is shared among the threads of the current rayon pool; 64 queries share a pass
    /// over the rows. See the [module](super) for what a pass reads.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if a query does not have [`dim`](Self::dim) values.
    pub fn top_k(&self, queries: &[Features], k: usize, order: Order) -> Result<Vec<Vec<Hit>>> {
        self.check(queries)?;
        let queries: Vec<&[f32]> = queries.iter().map(Features::as_slice).collect();
        let use_codes = k > 0 && k <= self.len() / MAX_COARSE_SHARE;
        if use_codes && self.has_codes() {
            return Ok(coarse::top_k(kernel::Kernel::best(), self, &queries, k, order));
        }
        Ok(scan::top_k(self, &queries, k, order))
    }

    /// Checks that all queries have the rows' width.
    pub(super) fn check(&self, queries: &[Features]) -> Result<()> {
        match queries.iter().find(|query| query.dim() != self.dim()) {
            None => Ok(()),
            Some(query) => Err(Error::Rows(RowsError::Dim {
                what: "a query",
                expected: self.dim(),
                found: query.dim(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn query_of_another_dim_is_an_error() {
        let values = [0.0, 1.0, 2.0, 3.0].map(f16::from_f32);
        let query = Features::new(vec![1.0; 3]).unwrap();
        let error =
            Rows::new(2, vec![&values]).unwrap().top_k(&[query], 1, Order::Best).unwrap_err();
        assert_eq!(error.to_string(), "a query has 3 values a row, expected 2");
        assert!(error.hint().unwrap().contains("the model that the index was built with"));
    }
}
