//! The exact ranking by codes: two stages.
//!
//! Stage one reads codes alone. Every thread takes pieces of the table, bounds the
//! scores of their rows from both sides, and keeps in a list that all threads share
//! those whose upper bound reaches the `k`-th best lower bound of all rows seen so
//! far by any of them. Stage two takes the scores of what is left and keeps the
//! first `k`. No row of the answer is missed: where the `k`-th best lower bound is
//! `t`, so many rows have scores of `t` or more, and a row whose upper bound is less
//! than `t` is behind each of these. Scores come from [`super::dot`] in either case,
//! so that the answer is the full scan's to the last bit, ties included.
//!
//! One image costs what memory takes to deliver the codes. Many go through one
//! pass: the high part of each query alone tells almost all rows apart from those
//! few that need a closer look by both parts, and fewer still need the rows.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::candidates::{Candidate, Candidates, reaches};
use super::codes::Codes;
use super::codes::fine::Fine;
use super::codes::kernel::{self, Limits, Panel, Reached, WIDTH};
use super::codes::query::Query;
use super::dot::{self, GROUP, Pack};
use super::scan::QUERIES;
use super::{Hit, Order, Rows};

/// Rows that a thread takes at a time: their codes stay in the second-level cache.
const PIECE: usize = 256;

/// From so many queries on, the high parts of all go through a piece first. Fewer
/// cost less one by one.
const MANY: usize = 5;

/// The first `k` rows of each of `queries`, all of the rows' dim; every block of
/// `rows` has codes, and `k` is from 1 to their number.
pub(super) fn top_k(
    kernel: kernel::Kernel,
    rows: &Rows,
    queries: &[&[f32]],
    k: usize,
    order: Order,
) -> Vec<Vec<Hit>> {
    let pass = |queries: &[&[f32]]| Pass::new(kernel, rows, queries, k, order).run();
    queries.chunks(QUERIES).flat_map(pass).collect()
}

/// One pass over the codes.
struct Pass<'a> {
    kernel: kernel::Kernel,
    dot: dot::Kernel,
    rows: &'a Rows<'a>,
    order: Order,
    queries: Vec<Query>,
    pack: Pack,
    /// For each block of rows, the product of its mean with each query, signed.
    bases: Vec<Vec<f64>>,
    candidates: Vec<Mutex<Candidates>>,
    /// The bits of each list's threshold, for those who hold no lock.
    thresholds: Vec<AtomicU32>,
}

impl<'a> Pass<'a> {
    fn new(
        kernel: kernel::Kernel,
        rows: &'a Rows<'a>,
        queries: &[&[f32]],
        k: usize,
        order: Order,
    ) -> Self {
        let sign = f64::from(order.sign());
        let base = |mean: &[f32], query: &[f32]| {
            let products = mean.iter().zip(query).map(|(&m, &q)| f64::from(m) * f64::from(q));
            sign * products.sum::<f64>()
        };
        let bases =
            rows.codes().map(|codes| queries.iter().map(|q| base(codes.mean(), q)).collect());
        let new = |_: &&[f32]| Mutex::new(Candidates::new(k, order));
        let unknown = || AtomicU32::new(f32::NEG_INFINITY.to_bits());
        Pass {
            kernel,
            dot: dot::Kernel::best(),
            rows,
            order,
            queries: queries.iter().map(|query| Query::new(query)).collect(),
            pack: Pack::new(rows.dim(), queries),
            bases: bases.collect(),
            candidates: queries.iter().map(new).collect(),
            thresholds: queries.iter().map(|_| unknown()).collect(),
        }
    }

    fn run(self) -> Vec<Vec<Hit>> {
        let next = AtomicUsize::new(0);
        let threads = rayon::current_num_threads().min(self.rows.len().div_ceil(PIECE));
        let many = self.queries.len() >= MANY;
        let panel = many.then(|| Panel::new(self.rows.dim(), &self.queries, self.order.sign()));
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            let mut worker = Worker::new(&self);
            loop {
                let start = next.fetch_add(PIECE, Ordering::Relaxed);
                if start >= self.rows.len() {
                    return;
                }
                for piece in self.rows.pieces(start..self.rows.len().min(start + PIECE)) {
                    let Some(codes) = piece.codes else { continue };
                    match &panel {
                        Some(panel) => worker.many(piece.first, piece.block, codes, panel),
                        None => worker.each(piece.first, piece.block, codes),
                    }
                }
            }
        });
        let Pass { candidates, pack, rows, dot, .. } = self;
        let finish = |(query, candidates): (usize, Mutex<Candidates>)| {
            let candidates = candidates.into_inner().unwrap_or_else(PoisonError::into_inner);
            let one = |candidate: &Candidate| score(dot, rows, &pack, query, candidate.row);
            candidates
                .into_hits(|candidates| candidates.par_iter().with_min_len(64).map(one).collect())
        };
        candidates.into_par_iter().enumerate().map(finish).collect()
    }

    /// Takes `found` into the list of `query`.
    fn add(&self, query: usize, found: &[Candidate]) {
        if !found.is_empty() {
            let list = &self.candidates[query];
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            let one = |row| score(self.dot, self.rows, &self.pack, query, row);
            list.extend(found.iter().copied(), one);
            self.thresholds[query].store(list.threshold().to_bits(), Ordering::Relaxed);
        }
    }

    /// What an upper bound without the base must reach, rounded down.
    fn limit(&self, query: usize, block: usize) -> f32 {
        let threshold = f32::from_bits(self.thresholds[query].load(Ordering::Relaxed));
        ((f64::from(threshold) - self.bases[block][query]) as f32).next_down()
    }
}

/// The score of a row with a query of `pack`: the bits that every other way gives.
fn score(dot: dot::Kernel, rows: &Rows, pack: &Pack, query: usize, row: usize) -> f32 {
    let mut score = [f32::NAN];
    if let (Some(values), Some(group)) = (rows.row(row), pack.groups().nth(query / GROUP)) {
        dot.single(values, rows.dim(), (group, query % GROUP), &mut score);
    }
    score[0]
}

/// A thread's own buffers.
struct Worker<'a> {
    pass: &'a Pass<'a>,
    fine: Vec<Fine>,
    sums: Vec<i32>,
    limits: Vec<Limits>,
    reached: Vec<Reached>,
    found: Vec<Vec<Candidate>>,
}

impl<'a> Worker<'a> {
    fn new(pass: &'a Pass<'a>) -> Self {
        let sign = pass.order.sign();
        let fine = |query| Fine::new(query, pass.rows.dim(), sign);
        Worker {
            pass,
            fine: pass.queries.iter().map(fine).collect(),
            sums: vec![0; PIECE],
            limits: vec![[f32::INFINITY; WIDTH]; pass.queries.len().div_ceil(WIDTH)],
            reached: Vec::new(),
            found: vec![Vec::new(); pass.queries.len()],
        }
    }

    /// Query by query over both parts; `first` is the number of the first row.
    fn each(&mut self, first: usize, block: usize, codes: Codes<'_>) {
        let pass = self.pass;
        for (number, query) in pass.queries.iter().enumerate() {
            let sums = &mut self.sums[..codes.len()];
            pass.kernel.fine(codes.codes(), pass.rows.dim(), query, sums);
            let (fine, limit) = (self.fine[number], pass.limit(number, block));
            let found = &mut self.found[number];
            let sixteens = sums.chunks(16).zip(codes.scales().chunks(16));
            for (at, ((sums, scales), slack)) in
                (0..).step_by(16).zip(sixteens.zip(codes.slack().chunks(16)))
            {
                let rows = sums.iter().zip(scales.iter().zip(slack));
                // Without a branch inside, so that it compiles to vector compares.
                let reach = |any, (&sum, (&scale, &slack)): (&i32, (&f32, &f32))| {
                    any | reaches(fine.bounds(sum, scale, slack).1, limit)
                };
                if rows.clone().fold(false, reach) {
                    for (row, (&sum, (&scale, &slack))) in (first + at..).zip(rows) {
                        let (lower, upper) = fine.bounds(sum, scale, slack);
                        if reaches(upper, limit) {
                            found.push(pass.based(number, block, row, lower, upper));
                        }
                    }
                }
            }
            pass.add(number, found);
            found.clear();
        }
    }

    /// All queries by their high parts, and what reaches its limit by both.
    fn many(&mut self, first: usize, block: usize, codes: Codes<'_>, panel: &Panel) {
        let (pass, dim) = (self.pass, self.pass.rows.dim());
        for number in 0..pass.queries.len() {
            self.limits[number / WIDTH][number % WIDTH] = pass.limit(number, block);
        }
        self.reached.clear();
        pass.kernel.reach(codes, panel, &self.limits, &mut self.reached);
        for &Reached { row, group, mut queries } in &self.reached {
            let row = row as usize;
            let of_row = &codes.codes()[row * dim..][..dim];
            let (scale, slack) = (codes.scales()[row], codes.slack()[row]);
            while queries != 0 {
                let lane = queries.trailing_zeros() as usize;
                queries &= queries - 1;
                let number = group as usize * WIDTH + lane;
                let mut sum = [0];
                pass.kernel.fine(of_row, dim, &pass.queries[number], &mut sum);
                let (lower, upper) = self.fine[number].bounds(sum[0], scale, slack);
                if reaches(upper, self.limits[group as usize][lane]) {
                    self.found[number].push(pass.based(number, block, first + row, lower, upper));
                }
            }
        }
        for (number, found) in self.found.iter_mut().enumerate() {
            pass.add(number, found);
            found.clear();
        }
    }
}

impl Pass<'_> {
    /// A candidate whose bounds lack the base, which is added and rounded outwards.
    fn based(&self, query: usize, block: usize, row: usize, lower: f32, upper: f32) -> Candidate {
        let base = self.bases[block][query];
        let add = |bound: f32| (f64::from(bound) + base) as f32;
        Candidate { row, lower: add(lower).next_down(), upper: add(upper).next_up() }
    }
}
