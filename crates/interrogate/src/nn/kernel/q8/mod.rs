//! Weights of eight bits: blocks of 64 integers along `k`, with a scale each.
//!
//! The input is split into the same blocks and rounded in the same way, so that the product of
//! two blocks is an exact integer. All later roundings are the same everywhere: sixteen sums
//! side by side, folded in halves. So a product has the same bits on every machine, in any
//! batch, with any number of threads.
//!
//! The scheme is ggml's q8_0 with blocks of 64, one cache line, and scales of f32: 8.5 bits per
//! weight. The error of a weight is at most its block's largest over 254, and that of an input
//! likewise.

mod dots;
mod round;
#[cfg(test)]
mod tests;

use std::fmt;

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::scratch::Scratch;
use super::super::simd::{BLOCK, Isa};
use super::{Out, split};
use dots::Dots;
use round::{Round, Rounded};

/// Input rows per task, which all meet each of its outputs: 96 rows of 2,560 bytes stay in the
/// second-level cache.
const INPUTS: usize = 96;

/// The fewest outputs per task.
const MIN_OUTPUTS: usize = 16;

/// The codes of a block, on one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Codes([u8; BLOCK]);

/// The code of a weight of zero: codes are shifted to be unsigned, and above 0.
const ZERO: u8 = 128;

/// A weight `(n, k)` in blocks of eight bits; the last block of a row is padded with zeros.
#[derive(Clone)]
pub(crate) struct Q8 {
    isa: Isa,
    /// (n, blocks).
    codes: Vec<Codes>,
    /// (n, blocks).
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
        let blocks = k.div_ceil(BLOCK);
        let mut codes = vec![Codes([ZERO; BLOCK]); n * blocks];
        let mut scales = vec![0.0; n * blocks];
        let rows = codes.par_chunks_mut(blocks.max(1)).zip(scales.par_chunks_mut(blocks.max(1)));
        rows.enumerate().for_each(|(j, (codes, scales))| {
            let mut row = Scratch::with_len(k);
            fill(j, &mut row);
            let mut signed = [0i8; BLOCK];
            for ((values, codes), scale) in row.chunks(BLOCK).zip(codes).zip(scales) {
                *scale = isa.run(Round { values, codes: &mut signed });
                for (code, signed) in codes.0.iter_mut().zip(signed) {
                    *code = signed.cast_unsigned() ^ ZERO;
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

    fn blocks(&self) -> usize {
        self.k.div_ceil(BLOCK)
    }

    /// Computes `out (m, n) = fused(x (m, k) weight^T)`. Reads the weight once for each 96 rows
    /// of `x`.
    ///
    /// # Panics
    /// If `x` or `out` is shorter than that.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        assert!(x.len() >= m * self.k && out.stride == self.n);
        if m == 0 || self.n == 0 {
            return;
        }
        let rounded = Rounded::of(self.isa, &x[..m * self.k], self.k);
        let parts = split::even(m, INPUTS).len();
        let shares = split::ranges(self.n, MIN_OUTPUTS, parts);
        (0..parts * shares).into_par_iter().for_each(|task| {
            let rows = split::part(m, parts, task / shares);
            let outputs = split::part(self.n, shares, task % shares);
            self.isa.run(Dots { weight: self, x: &rounded, rows, outputs, out, fused });
        });
    }
}

impl fmt::Debug for Q8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Q8({}, {})", self.n, self.k)
    }
}
