//! Queries, quantized for one block of rows.

use super::super::codes::Codes;
use super::super::codes::fine::Fine;
use super::super::codes::kernel::Panel;
use super::super::codes::query::Query;

/// From this many queries on, the high parts of all scan a piece first; fewer queries are faster
/// one by one.
const MIN_PANEL_QUERIES: usize = 5;

/// The queries of a pass, quantized for the rows of a block.
pub(super) struct BlockQueries {
    /// The product of each query with the block's mean, signed.
    pub(super) bases: Vec<f64>,
    pub(super) queries: Vec<Query>,
    pub(super) fine: Vec<Fine>,
    /// The high parts side by side, if there are [`MIN_PANEL_QUERIES`] or more.
    pub(super) panel: Option<Panel>,
}

impl BlockQueries {
    /// Quantizes `queries` of the block's dim; `sign` is 1 for the highest scores and -1 for the
    /// lowest. Costs a few microseconds per query.
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
