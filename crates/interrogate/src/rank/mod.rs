//! Which rows of a table score highest, exactly.
//!
//! This room owns the score (`dot`), the tie rule (`topk`), the two ways to a
//! ranking (`coarse`, by the rows' [`codes`] first; `scan`, over the rows) and what
//! a ranking is asked of ([`Rows`]). It does not own labels, files or models: it
//! sees values that somebody else has mapped, and knows nothing of where they come
//! from.
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
//! With codes (an index has them), a ranking of one image reads them once, a byte a
//! value, and then those rows that the codes leave in doubt: some tens for the first
//! three of 100,000, some thousands for the first 2,048. Up to 64 images go through
//! one pass, where the cost is that of integer products: rows times images times
//! dim.
//!
//! Without codes, or where more than an eighth of all rows is asked for, the rows
//! are read once for every 64 queries, 2 bytes a value, and nothing is copied.
//!
//! Above the rows it holds candidates: at most the greater of `16 k` and 16,384 a
//! query, and one piece more, of 16 bytes each.
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

mod candidates;
mod coarse;
pub mod codes;
pub mod device;
mod dot;
mod order;
mod quota;
mod ranking;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod topk;

pub use order::{Hit, Order};
pub use rows::{Block, Rows};

/// The first `k` of several rankings of different rows together.
pub(crate) fn merged(rankings: impl IntoIterator<Item = Hit>, k: usize, order: Order) -> Vec<Hit> {
    let mut top = topk::TopK::new(k, order);
    rankings.into_iter().for_each(|Hit { row, score }| top.offer(row, &[score]));
    top.into_hits()
}

/// Which code this processor runs: `avx512`, `avx2` or `portable`. They differ
/// in speed alone.
pub fn kernel() -> &'static str {
    dot::Kernel::best().name()
}
