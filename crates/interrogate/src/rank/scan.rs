//! The full scan: scores every row. For tables without codes, and for rankings that return a
//! large part of a table (see [`super::coarse`] for the others).
//!
//! Every thread scores pieces of the table and keeps the first `k` of them in a collector of its
//! own; the collectors are merged at the end. A row among the first `k` of the table is among
//! the first `k` of any part that has it, so the merge misses none. No two rows are equal in the
//! order, so it does not matter which thread scored which.

use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use rayon::prelude::*;

use super::dot::{GROUP, Kernel, PREFETCH_DISTANCE, Pack, Step};
use super::topk::TopK;
use super::{Hit, Order, Rows};

/// Queries per pass: their f32 values stay in the second-level cache (128 KiB at dim 512), and
/// the memory of the collectors stays bounded.
pub(super) const QUERIES: usize = 64;

/// Rows of a thread's unit of work: enough that fetching a unit costs nothing, few enough that
/// threads finish together. A multiple of [`GROUP`].
const PIECE: usize = 128;

/// Returns the first `k` rows of each of `queries`, all of the rows' dim.
pub(super) fn top_k(rows: &Rows, queries: &[&[f32]], k: usize, order: Order) -> Vec<Vec<Hit>> {
    let k = k.min(rows.len());
    if k == 0 {
        return vec![Vec::new(); queries.len()];
    }
    let kernel = Kernel::best();
    queries.chunks(QUERIES).flat_map(|queries| pass(kernel, rows, queries, k, order)).collect()
}

/// One pass over the rows.
fn pass(kernel: Kernel, rows: &Rows, queries: &[&[f32]], k: usize, order: Order) -> Vec<Vec<Hit>> {
    let panel = Pack::new(rows.dim(), queries);
    let next = AtomicUsize::new(0);
    let collect = |_| {
        let mut tops = vec![TopK::new(k, order); panel.len()];
        scan_pieces(kernel, rows, &panel, &next, |first, scores| {
            tops.iter_mut().zip(scores).for_each(|(top, scores)| top.offer(first, scores));
        });
        tops
    };
    let merge = |mut all: Vec<TopK>, more: Vec<TopK>| {
        all.iter_mut().zip(more).for_each(|(top, more)| top.merge(more));
        all
    };
    let empty = || vec![TopK::new(k, order); panel.len()];
    let threads = (0..threads(rows)).into_par_iter().with_max_len(1);
    let tops = threads.map(collect).reduce(empty, merge);
    tops.into_par_iter().map(TopK::into_hits).collect()
}

/// The number of threads that a scan of `rows` has work for.
pub(super) fn threads(rows: &Rows) -> usize {
    rayon::current_num_threads().min(rows.len().div_ceil(PIECE))
}

/// Scores pieces of `rows` that no other thread has taken from `next`, until there are none.
/// Calls `offer` with the number of each piece's first row and the scores of each query.
pub(super) fn scan_pieces(
    kernel: Kernel,
    rows: &Rows,
    panel: &Pack,
    next: &AtomicUsize,
    mut offer: impl FnMut(usize, &mut dyn Iterator<Item = &[f32]>),
) {
    let mut scorer = Scorer::new(kernel, rows.dim(), panel);
    loop {
        let start = next.fetch_add(PIECE, Ordering::Relaxed);
        if start >= rows.len() {
            return;
        }
        for (first, values) in rows.spans(start..rows.len().min(start + PIECE)) {
            scorer.score(values);
            offer(first, &mut scorer.scores());
        }
    }
}

/// Scores up to [`PIECE`] rows for a panel of queries; one per thread.
struct Scorer<'a> {
    kernel: Kernel,
    dim: usize,
    panel: &'a Pack,
    /// Four rows, widened to f32.
    rows: Vec<Step>,
    /// `PIECE` scores for each query, rounded up to whole groups.
    scores: Vec<f32>,
    /// How many of each `PIECE` are valid.
    len: usize,
}

impl<'a> Scorer<'a> {
    fn new(kernel: Kernel, dim: usize, panel: &'a Pack) -> Self {
        let rows = vec![Step::ZERO; panel.steps()];
        let scores = vec![0.0; panel.len().next_multiple_of(GROUP) * PIECE];
        Scorer { kernel, dim, panel, rows, scores, len: 0 }
    }

    /// The scores of the last call's rows, query by query.
    fn scores(&self) -> impl Iterator<Item = &[f32]> {
        self.scores.chunks(PIECE).map(|scores| &scores[..self.len])
    }

    /// Scores `values`, at most [`PIECE`] rows.
    fn score(&mut self, values: &[f16]) {
        self.len = values.len() / self.dim;
        if self.panel.len() == 1 {
            // Each row is used once, so widening it to memory would gain nothing.
            let (scores, mut groups) = (&mut self.scores[..self.len], self.panel.groups());
            let query = groups.next().unwrap_or_default();
            return self.kernel.single(values, self.dim, (query, 0), PREFETCH_DISTANCE, scores);
        }
        // Widens four rows at a time (8 KiB at dim 512, in the first-level cache) and scores
        // them for all queries, which stream from the second. Processor time was 34 ms for 4
        // rows at a time, 37 for 16 and 40 for 32.
        for (at, quad) in (0..).step_by(GROUP).zip(values.chunks(GROUP * self.dim)) {
            self.kernel.widen(quad, self.dim, &mut self.rows);
            let groups = self.panel.groups().zip(self.scores.chunks_mut(GROUP * PIECE));
            for (queries, scores) in groups {
                let dots = self.kernel.dots(&self.rows, queries);
                for (scores, dots) in scores.chunks_mut(PIECE).zip(dots) {
                    scores[at..at + GROUP].copy_from_slice(&dots);
                }
            }
        }
    }
}
