//! Weights of eight bits: blocks of 64 integers along `k`, with a scale each.
//!
//! The input is split into the same blocks and rounded in the same way, so that the product of
//! two blocks is an exact integer. It is scaled in f32, and the blocks are added in order, each
//! operation rounded on its own. So a product has the same bits on every machine, in any batch,
//! with any number of threads.
//!
//! The scheme is ggml's q8_0 with blocks of 64 and scales of f32: 8.5 bits per weight. The error
//! of a weight is at most its block's largest over 254, and that of an input likewise.

mod panel;
mod round;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::super::scratch::Scratch;
use super::super::simd::{BLOCK, Isa};
use super::Part;
use super::part::each_task;
use panel::Multiply;
use round::{Round, Rounded};

/// The fewest panels per task.
const MIN_PANELS: usize = 2;

/// Inputs of a step: the bytes of a lane.
const STEP: usize = 4;

/// Steps of a block.
const STEPS: usize = BLOCK / STEP;

/// Codes in a cache line.
const LINE: usize = 64;

/// The codes of a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// The code of a weight of zero: codes are shifted to be unsigned, and above 0.
const ZERO: u8 = 128;

/// A weight `(n, k)` in panels of [`Isa::panel`] outputs, and in each of them block by block; the
/// last block of a row and the last panel are padded with zeros.
#[derive(Clone)]
pub(crate) struct Q8 {
    isa: Isa,
    /// (panels, blocks, [`STEPS`], outputs, [`STEP`]).
    codes: Vec<Line>,
    /// (panels, blocks, outputs).
    scales: Vec<f32>,
    n: usize,
    k: usize,
}

impl Q8 {
    /// Rounds a weight whose row `j` is written by `fill(j, row)`, on all threads. A block with
    /// NaN or infinity becomes NaN.
    pub(crate) fn pack(
        isa: Isa,
        (n, k): (usize, usize),
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let (blocks, width) = (k.div_ceil(BLOCK), isa.panel());
        let (panels, lines) = (n.div_ceil(width), blocks * width);
        let mut codes = vec![Line([ZERO; LINE]); panels * lines];
        let mut scales = vec![0.0; panels * lines];
        let each = codes.par_chunks_mut(lines.max(1)).zip(scales.par_chunks_mut(lines.max(1)));
        each.enumerate().for_each(|(panel, (codes, scales))| {
            let mut row = Scratch::with_len(k);
            for output in 0..width.min(n - panel * width) {
                fill(panel * width + output, &mut row);
                for (block, values) in row.chunks(BLOCK).enumerate() {
                    let mut signed = [0i8; BLOCK];
                    let round = Round { values, codes: &mut signed };
                    scales[block * width + output] = isa.run(round);
                    for (step, four) in signed.chunks_exact(STEP).enumerate() {
                        let at = ((block * STEPS + step) * width + output) * STEP;
                        let to = &mut codes[at / LINE].0[at % LINE..][..STEP];
                        to.iter_mut().zip(four).for_each(|(to, code)| {
                            *to = code.cast_unsigned() ^ ZERO;
                        });
                    }
                }
            }
        });
        Q8 { isa, codes, scales, n, k }
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Whether both need inputs rounded in the same way.
    pub(crate) fn same_layout(&self, other: &Q8) -> bool {
        (self.k, self.isa) == (other.k, other.isa)
    }

    fn blocks(&self) -> usize {
        self.k.div_ceil(BLOCK)
    }

    fn panels(&self) -> usize {
        self.n.div_ceil(self.isa.panel())
    }

    /// Computes the products of `x` (m, k) with `parts`, whose weights have the same layout: the
    /// input is rounded once for all of them.
    ///
    /// # Panics
    /// If `x` or an output is shorter than its shape, or the weights differ in their inputs or
    /// instruction set.
    pub(crate) fn products(parts: &[Part<'_, Q8>], x: &[f32], m: usize) {
        let Some(&Part { weight: first, .. }) = parts.first() else { return };
        for Part { weight, out, .. } in parts {
            assert!(weight.same_layout(first) && out.stride == weight.n);
        }
        let (isa, k) = (first.isa, first.k);
        assert!(x.len() >= m * k);
        let panels = parts.iter().map(|part| part.weight.panels()).sum();
        let round = |rows: Range<usize>, alone: bool| {
            let x = &x[rows.start * k..rows.end * k];
            if alone { Rounded::on_all_threads(isa, x, k) } else { Rounded::here(isa, x, k) }
        };
        each_task(m, panels, MIN_PANELS, round, |x, rows, panels| {
            isa.run(Multiply { parts, x, row: rows.start, panels });
        });
    }
}

impl fmt::Debug for Q8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Q8({}, {})", self.n, self.k)
    }
}
