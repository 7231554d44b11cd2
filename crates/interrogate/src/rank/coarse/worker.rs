//! A thread's part of stage one.

use super::super::candidates::{Candidate, reaches};
use super::super::codes::Codes;
use super::super::codes::kernel::{Limits, Panel, Reached, WIDTH};
use super::asked::Asked;
use super::{PIECE, Pass};

/// A thread's own buffers.
pub(super) struct Worker<'a> {
    pass: &'a Pass<'a>,
    sums: Vec<i32>,
    limits: Vec<Limits>,
    reached: Vec<Reached>,
    found: Vec<Vec<Candidate>>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(pass: &'a Pass<'a>) -> Self {
        let queries = pass.candidates.len();
        Worker {
            pass,
            sums: vec![0; PIECE],
            limits: vec![[f32::INFINITY; WIDTH]; queries.div_ceil(WIDTH)],
            reached: Vec::new(),
            found: vec![Vec::new(); queries],
        }
    }

    /// Takes in a piece of block number `block`; `first` is the number of its first
    /// row.
    pub(super) fn piece(&mut self, first: usize, block: usize, codes: Codes<'_>) {
        let asked = &self.pass.asked[block];
        match &asked.panel {
            Some(panel) => self.many(first, block, codes, asked, panel),
            None => self.each(first, block, codes, asked),
        }
    }

    /// Query by query over both parts.
    fn each(&mut self, first: usize, block: usize, codes: Codes<'_>, asked: &Asked) {
        let pass = self.pass;
        for (number, query) in asked.queries.iter().enumerate() {
            let sums = &mut self.sums[..codes.len()];
            pass.kernel.fine(codes.codes(), pass.rows.dim(), query, sums);
            let (fine, limit) = (asked.fine[number], pass.limit(number, block));
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
    fn many(&mut self, first: usize, block: usize, codes: Codes<'_>, asked: &Asked, panel: &Panel) {
        let (pass, dim) = (self.pass, self.pass.rows.dim());
        for number in 0..asked.queries.len() {
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
                pass.kernel.fine(of_row, dim, &asked.queries[number], &mut sum);
                let (lower, upper) = asked.fine[number].bounds(sum[0], scale, slack);
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
