//! The queries as one block of rows meets them.

use super::super::codes::Codes;
use super::super::codes::fine::Fine;
use super::super::codes::kernel::Panel;
use super::super::codes::query::Query;

/// From so many queries on, the high parts of all go through a piece first. Fewer
/// cost less one by one.
const MIN_PANEL_QUERIES: usize = 5;

/// The queries of a pass, coded for the rows of a block.
pub(super) struct BlockQueries {
    /// The product of the block's mean with each query, signed.
    pub(super) bases: Vec<f64>,
    pub(super) queries: Vec<Query>,
    pub(super) fine: Vec<Fine>,
    /// Where they are many, their high parts side by side.
    pub(super) panel: Option<Panel>,
}

impl BlockQueries {
    /// `queries` of the block's dim, for the highest scores where `sign` is 1 and for
    /// the lowest where it is -1. Costs a few microseconds a query.
    pub(super) fn new(codes: Codes<'_>, queries: &[&[f32]], sign: f32) -> Self {
        let dim = codes.dim();
        let base = |query: &&[f32]| {
            let pairs = codes.mean().iter().zip(*query);
            f64::from(sign) * pairs.map(|(&m, &q)| f64::from(m) * f64::from(q)).sum::<f64>()
        };
        let bases = queries.iter().map(base).collect();
        let queries: Vec<Query> =
            queries.iter().map(|query| Query::new(query, codes.spread())).collect();
        let fine = queries.iter().map(|query| Fine::new(query, dim, sign)).collect();
        let panel = (queries.len() >= MIN_PANEL_QUERIES).then(|| Panel::new(dim, &queries, sign));
        BlockQueries { bases, queries, fine, panel }
    }
}
