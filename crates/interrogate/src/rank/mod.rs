//! Exact top-k: the rows of a table that score highest for a query.
//!
//! This module owns the score (`dot`), the order with its tie rule (`order`), the two ways to a
//! ranking (`coarse`: a coarse scan over [`codes`], then rescoring; `scan`: a full scan over the
//! rows), the [`Softmax`] of all rows and [`Rows`], which a caller ranks. It does not own labels, files or models: rows are
//! values that somebody else mapped or allocated.
//!
//! # Guarantees
//! - Exact: [`Rows::top_k`] returns the first `k` of a full sort.
//! - Tie rule: of equal scores the lower row number ranks first, in both orders. f16 rows tie
//!   often, so this is part of the result.
//! - Reproducible: a score depends on its row and its query alone. It has the same bits on every
//!   processor, with any number of threads and in any batch (`dot` says why).
//! - A NaN score, of a damaged row, ranks after every number, in both orders.
//!
//! # Why a coarse scan is exact
//! Quantized codes bound every score from both sides. If the `k`-th best lower bound is `t`,
//! then `k` rows score at least `t`, and a row whose upper bound is below `t` cannot be among
//! the first `k`. Only the other rows are rescored from their f16 values, so the answer has the
//! bits of a full scan, ties included.
//!
//! # Cost
//! With codes (an index has them), ranking one image reads the codes once, 1 byte per value, and
//! then the undecided rows: some tens for the first 3 of 100,000, some thousands for the first
//! 2,048. Up to 64 images share one pass, whose cost is the integer products: rows times images
//! times dim.
//!
//! Without codes, or if `k` is more than 1/8 of the rows, the rows are read once per 64 queries,
//! 2 bytes per value, and nothing is copied.
//!
//! Memory besides the rows: at most the greater of `16 k` and 16,384 candidates per query, plus
//! one piece, of 16 bytes each.
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
mod sigmoid;
mod softmax;
#[cfg(test)]
mod tests;
mod topk;

pub use order::{Hit, Order};
pub use rows::{Block, Rows};
pub use sigmoid::Sigmoid;
pub use softmax::{LOGIT_SCALE, Softmax};

/// Returns the first `k` of several rankings of disjoint rows.
pub(crate) fn merged(rankings: impl IntoIterator<Item = Hit>, k: usize, order: Order) -> Vec<Hit> {
    let mut top = topk::TopK::new(k, order);
    rankings.into_iter().for_each(|Hit { row, score }| top.offer(row, &[score]));
    top.into_hits()
}

/// The kernel that this processor ranks with: `avx512`, `avx2` or `portable`. They differ in
/// speed alone.
pub fn kernel() -> &'static str {
    dot::Kernel::best().name()
}
