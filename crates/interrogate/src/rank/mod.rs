//! Which rows of a table score highest, exactly.
//!
//! This room owns the score (`dot`), the tie rule (`topk`), the pass over the
//! rows (`scan`) and what a ranking is asked of ([`Rows`]). It does not own
//! labels, files or models: it sees f16 values that somebody else has mapped,
//! and knows nothing of where they come from.
//!
//! # What a ranking promises
//! - It is exact: the answer of [`Rows::top_k`] is the first `k` of a full sort.
//! - Ties go to the lower row number, in both orders. f16 rows tie often, so
//!   this is part of the result and not a detail of it.
//! - A score depends on its row and its query alone. It has the same bits on
//!   every processor, on any number of threads, and whichever rows and queries
//!   it was computed beside (`dot` says why), so that a ranking is the same
//!   everywhere.
//! - A score that is not a number (a damaged row holds one) ranks behind every
//!   number, in both orders.
//!
//! # What it costs
//! The rows are read once for every 64 queries, 2 bytes a value, and nothing is
//! copied. One query costs what memory takes to deliver the rows, and four cost
//! hardly more. From about eight on it is arithmetic: rows times queries times
//! dim fused multiply-adds. Above the rows it holds at most `2 k` candidates of
//! 16 bytes for each thread and query.
//!
//! # Example
//! ```
//! use half::f16;
//! use interrogate::encoder::Features;
//! use interrogate::rank::{Order, Rows};
//!
//! let table = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]].map(|row| row.map(f16::from_f32));
//! let rows = Rows::new(2, vec![table.as_flattened()])?;
//! let image = Features::new(vec![0.0, 7.0])?;
//!
//! let best = rows.top_k(&[image], 2, Order::Best)?;
//! assert_eq!(best[0].iter().map(|hit| hit.row).collect::<Vec<_>>(), [2, 1]);
//! assert_eq!(best[0][0].score, 1.0);
//! # Ok::<(), interrogate::Error>(())
//! ```

mod dot;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod topk;

pub use rows::Rows;

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

/// Which code this processor runs: `avx512`, `avx2` or `portable`. They differ
/// in speed alone.
pub fn kernel() -> &'static str {
    dot::Kernel::best().name()
}
