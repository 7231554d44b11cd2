//! Exact top-k over f16 rows.

use half::f16;

use crate::Result;
use crate::encoder::Features;

/// Rows of a table, in blocks: the shards of one table, or of several merged.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    dim: usize,
    blocks: Vec<&'a [f16]>,
}

/// Which end of the ranking is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The highest scores, highest first.
    #[default]
    Best,
    /// The lowest scores, lowest first.
    Worst,
}

/// One row of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The row's number, counted over all blocks.
    pub row: usize,
    /// Its cosine with the query.
    pub score: f32,
}

impl<'a> Rows<'a> {
    /// Blocks of rows of `dim` values, numbered one behind the other.
    pub fn new(dim: usize, blocks: Vec<&'a [f16]>) -> Result<Self> {
        Ok(Rows { dim, blocks })
    }

    /// The `k` rows of each query, ties by row number, lower first.
    pub fn top_k(&self, queries: &[Features], k: usize, order: Order) -> Result<Vec<Vec<Hit>>> {
        let _ = (queries, k, order, self.dim, &self.blocks);
        todo!()
    }
}
