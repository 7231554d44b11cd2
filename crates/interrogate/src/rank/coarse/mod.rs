//! Exact top-k by a coarse scan over quantized codes, then rescoring.
//!
//! **Coarse scan.** Reads codes alone. Every thread bounds the scores of its pieces of the table
//! from both sides, and adds rows to a shared list whose upper bound reaches the threshold: the
//! `k`-th best lower bound of all rows so far.
//!
//! **Rescore.** Computes the scores of the listed rows from their f16 values and keeps the first
//! `k`.
//!
//! **Why it is exact.** If the `k`-th best lower bound is `t`, then `k` rows score `t` or more,
//! and a row whose upper bound is below `t` ranks after all of them. Scores come from
//! [`super::dot`], as in the full scan, so that the answer has its bits, ties included.
//!
//! One query costs the time to read the codes. Up to 64 queries share a pass: the high part of
//! each query alone decides almost all rows, both parts decide most of the others, and few are
//! rescored.

mod block_queries;
mod worker;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use half::f16;
use rayon::prelude::*;

use super::candidates::{Candidate, Candidates};
use super::codes::Codes;
use super::codes::kernel;
use super::dot::{self, GROUP, Pack};
use super::scan::QUERIES;
use super::{Hit, Order, Rows};
use block_queries::BlockQueries;
use worker::Worker;

/// Rows of a thread's unit of work: their codes stay in the second-level cache.
const PIECE: usize = 256;

/// Candidates of a rescoring task.
const SCORED: usize = 64;

/// Prefetch distance while rescoring, in candidates: their rows are scattered, so that every one
/// would wait for memory.
const PREFETCH_ROWS: usize = 4;

/// From this many (block, query) pairs on, queries are quantized on all threads.
const MIN_PARALLEL: usize = 64;

/// Returns the first `k` rows of each of `queries`, all of the rows' dim. Every block of `rows`
/// has codes, and `k` is between 1 and the number of rows.
pub(super) fn top_k(
    kernel: kernel::Kernel,
    rows: &Rows,
    queries: &[&[f32]],
    k: usize,
    order: Order,
) -> Vec<Vec<Hit>> {
    let scan = |queries: &[&[f32]]| CoarseScan::new(kernel, rows, queries, k, order).run();
    queries.chunks(QUERIES).flat_map(scan).collect()
}

/// One pass over the codes, for up to [`QUERIES`] queries.
struct CoarseScan<'a> {
    kernel: kernel::Kernel,
    dot: dot::Kernel,
    rows: &'a Rows<'a>,
    /// The queries, quantized for each block.
    blocks: Vec<BlockQueries>,
    pack: Pack,
    candidates: Vec<Mutex<Candidates>>,
    /// The bits of each list's threshold, readable without its lock.
    thresholds: Vec<AtomicU32>,
}

impl<'a> CoarseScan<'a> {
    fn new(
        kernel: kernel::Kernel,
        rows: &'a Rows<'a>,
        queries: &[&[f32]],
        k: usize,
        order: Order,
    ) -> Self {
        let blocks: Vec<Codes> = rows.codes().collect();
        let block_queries = |codes: &Codes| BlockQueries::new(*codes, queries, order.sign());
        let blocks = match blocks.len() * queries.len() {
            ..MIN_PARALLEL => blocks.iter().map(block_queries).collect(),
            _ => blocks.par_iter().map(block_queries).collect(),
        };
        let new = |_: &&[f32]| Mutex::new(Candidates::new(k, order));
        let unknown = || AtomicU32::new(f32::NEG_INFINITY.to_bits());
        CoarseScan {
            kernel,
            dot: dot::Kernel::best(),
            rows,
            blocks,
            pack: Pack::new(rows.dim(), queries),
            candidates: queries.iter().map(new).collect(),
            thresholds: queries.iter().map(|_| unknown()).collect(),
        }
    }

    fn run(self) -> Vec<Vec<Hit>> {
        let next = AtomicUsize::new(0);
        let threads = rayon::current_num_threads().min(self.rows.len().div_ceil(PIECE));
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            let mut worker = Worker::new(&self);
            loop {
                let start = next.fetch_add(PIECE, Ordering::Relaxed);
                if start >= self.rows.len() {
                    return;
                }
                for piece in self.rows.pieces(start..self.rows.len().min(start + PIECE)) {
                    let Some(codes) = piece.codes else { continue };
                    worker.piece(piece.first, piece.block, codes);
                }
            }
        });
        let CoarseScan { candidates, pack, rows, dot, .. } = self;
        let finish = |(query, candidates): (usize, Mutex<Candidates>)| {
            let candidates = candidates.into_inner().unwrap_or_else(PoisonError::into_inner);
            candidates.into_hits(|candidates| {
                let mut all = vec![f32::NAN; candidates.len()];
                let pieces = all.par_chunks_mut(SCORED).zip(candidates.par_chunks(SCORED));
                pieces.for_each(|(piece, of)| scores(dot, rows, &pack, query, of, piece));
                all
            })
        };
        candidates.into_par_iter().enumerate().map(finish).collect()
    }

    /// Adds `found` to the list of `query`.
    fn add(&self, query: usize, found: &[Candidate]) {
        if !found.is_empty() {
            let list = &self.candidates[query];
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            list.extend(found.iter().copied(), |candidates| {
                let mut all = vec![f32::NAN; candidates.len()];
                scores(self.dot, self.rows, &self.pack, query, candidates, &mut all);
                all
            });
            self.thresholds[query].store(list.threshold().to_bits(), Ordering::Relaxed);
        }
    }

    /// The threshold for upper bounds without the base, rounded down.
    fn threshold(&self, query: usize, block: usize) -> f32 {
        let threshold = f32::from_bits(self.thresholds[query].load(Ordering::Relaxed));
        ((f64::from(threshold) - self.blocks[block].bases[query]) as f32).next_down()
    }

    /// Adds the base to bounds without it, rounded outwards.
    fn candidate(
        &self,
        query: usize,
        block: usize,
        row: usize,
        lower: f32,
        upper: f32,
    ) -> Candidate {
        let base = self.blocks[block].bases[query];
        let add = |bound: f32| (f64::from(bound) + base) as f32;
        Candidate { row, lower: add(lower).next_down(), upper: add(upper).next_up() }
    }
}

/// Writes the scores of `candidates` for a query of `pack`, with the bits of every other path.
fn scores(
    dot: dot::Kernel,
    rows: &Rows,
    pack: &Pack,
    query: usize,
    candidates: &[Candidate],
    scores: &mut [f32],
) {
    let Some(group) = pack.groups().nth(query / GROUP) else { return };
    let values = |candidate: &Candidate| rows.row(candidate.row).unwrap_or_default();
    let values: Vec<&[f16]> = candidates.iter().map(values).collect();
    for (at, (row, score)) in values.iter().zip(scores).enumerate() {
        let next = values.get(at + PREFETCH_ROWS).unwrap_or(row);
        let ahead = next.as_ptr().addr().wrapping_sub(row.as_ptr().addr());
        let score = std::slice::from_mut(score);
        dot.single(row, rows.dim(), (group, query % GROUP), ahead, score);
    }
}
