//! Exact top-k: by a coarse scan and rescoring, or by a full scan.

use super::codes::kernel;
use super::{Hit, Order, Rows, coarse, scan};
use crate::encoder::Features;
use crate::{Error, Result};

/// Of a ranking by codes more than one row in so many is asked for: then the rows
/// themselves are as quick.
const MAX_COARSE_SHARE: usize = 8;

impl Rows<'_> {
    /// The first `k` rows of each query's ranking, one list a query, in the
    /// queries' order; all rows where `k` is beyond the last.
    ///
    /// A list is sorted by score, and rows of equal score by row number, the
    /// lower first, in either [`Order`]. The work is shared among the threads of
    /// the current rayon pool; a pass over the rows serves 64 queries.
    ///
    /// # Errors
    /// [`Error::Dim`] where a query is not [`dim`](Self::dim) values wide.
    pub fn top_k(&self, queries: &[Features], k: usize, order: Order) -> Result<Vec<Vec<Hit>>> {
        if let Some(query) = queries.iter().find(|query| query.dim() != self.dim()) {
            return Err(Error::Dim { what: "a query", expected: self.dim(), found: query.dim() });
        }
        let queries: Vec<&[f32]> = queries.iter().map(Features::as_slice).collect();
        let few = k > 0 && k <= self.len() / MAX_COARSE_SHARE;
        if few && self.has_codes() {
            return Ok(coarse::top_k(kernel::Kernel::best(), self, &queries, k, order));
        }
        Ok(scan::top_k(self, &queries, k, order))
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn a_query_of_another_model_is_refused() {
        let values = [0.0, 1.0, 2.0, 3.0].map(f16::from_f32);
        let query = Features::new(vec![1.0; 3]).unwrap();
        let error =
            Rows::new(2, vec![&values]).unwrap().top_k(&[query], 1, Order::Best).unwrap_err();
        assert_eq!(error.to_string(), "a query has 3 values a row, expected 2");
        assert!(error.hint().unwrap().contains("the model that the index was built with"));
    }
}
