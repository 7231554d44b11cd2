//! A thread of the coarse scan.

use super::super::candidates::{Candidate, reaches};
use super::super::codes::Codes;
use super::super::codes::kernel::{CoarseHit, Panel, Thresholds, WIDTH};
use super::block_queries::BlockQueries;
use super::{CoarseScan, PIECE};

/// The buffers of one thread.
pub(super) struct Worker<'a> {
    scan: &'a CoarseScan<'a>,
    sums: Vec<i32>,
    thresholds: Vec<Thresholds>,
    hits: Vec<CoarseHit>,
    found: Vec<Vec<Candidate>>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(scan: &'a CoarseScan<'a>) -> Self {
        let queries = scan.candidates.len();
        Worker {
            scan,
            sums: vec![0; PIECE],
            thresholds: vec![[f32::INFINITY; WIDTH]; queries.div_ceil(WIDTH)],
            hits: Vec::new(),
            found: vec![Vec::new(); queries],
        }
    }

    /// Scans a piece of block number `block`; `first` is the number of its first row.
    pub(super) fn piece(&mut self, first: usize, block: usize, codes: Codes<'_>) {
        let queries = &self.scan.blocks[block];
        match &queries.panel {
            Some(panel) => self.many(first, block, codes, queries, panel),
            None => self.each(first, block, codes, queries),
        }
    }

    /// Scans query by query, with both parts of each.
    fn each(&mut self, first: usize, block: usize, codes: Codes<'_>, of_block: &BlockQueries) {
        let scan = self.scan;
        for (number, query) in of_block.queries.iter().enumerate() {
            let sums = &mut self.sums[..codes.len()];
            scan.kernel.fine(codes.codes(), scan.rows.dim(), query, sums);
            let (fine, threshold) = (of_block.fine[number], scan.threshold(number, block));
            let found = &mut self.found[number];
            let sixteens = sums.chunks(16).zip(codes.scales().chunks(16));
            for (at, ((sums, scales), error_bounds)) in
                (0..).step_by(16).zip(sixteens.zip(codes.error_bounds().chunks(16)))
            {
                let rows = sums.iter().zip(scales.iter().zip(error_bounds));
                // No branch in the loop, so that it compiles to vector compares.
                let reaches_any = |any, (&sum, (&scale, &error_bound)): (&i32, (&f32, &f32))| {
                    any | reaches(fine.bounds(sum, scale, error_bound).1, threshold)
                };
                if rows.clone().fold(false, reaches_any) {
                    for (row, (&sum, (&scale, &error_bound))) in (first + at..).zip(rows) {
                        let (lower, upper) = fine.bounds(sum, scale, error_bound);
                        if reaches(upper, threshold) {
                            found.push(scan.candidate(number, block, row, lower, upper));
                        }
                    }
                }
            }
            scan.add(number, found);
            found.clear();
        }
    }

    /// Scans the high parts of all queries, then both parts for the rows that reach a threshold.
    fn many(
        &mut self,
        first: usize,
        block: usize,
        codes: Codes<'_>,
        of_block: &BlockQueries,
        panel: &Panel,
    ) {
        let (scan, dim) = (self.scan, self.scan.rows.dim());
        for number in 0..of_block.queries.len() {
            self.thresholds[number / WIDTH][number % WIDTH] = scan.threshold(number, block);
        }
        self.hits.clear();
        scan.kernel.coarse(codes, panel, &self.thresholds, &mut self.hits);
        for &CoarseHit { row, group, mut queries } in &self.hits {
            let row = row as usize;
            let of_row = &codes.codes()[row * dim..][..dim];
            let (scale, error_bound) = (codes.scales()[row], codes.error_bounds()[row]);
            while queries != 0 {
                let lane = queries.trailing_zeros() as usize;
                queries &= queries - 1;
                let number = group as usize * WIDTH + lane;
                let mut sum = [0];
                scan.kernel.fine(of_row, dim, &of_block.queries[number], &mut sum);
                let (lower, upper) = of_block.fine[number].bounds(sum[0], scale, error_bound);
                if reaches(upper, self.thresholds[group as usize][lane]) {
                    self.found[number].push(scan.candidate(
                        number,
                        block,
                        first + row,
                        lower,
                        upper,
                    ));
                }
            }
        }
        for (number, found) in self.found.iter_mut().enumerate() {
            scan.add(number, found);
            found.clear();
        }
    }
}
