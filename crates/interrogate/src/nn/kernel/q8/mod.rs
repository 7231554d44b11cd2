//! Weights of eight bits: 64 whole numbers and their scale, a block along the
//! inner side.
//!
//! The input is cut into the same blocks and rounded likewise, so that a block
//! meets a block in whole numbers, which no order of additions changes. What is
//! rounded after that is rounded alike everywhere: sixteen sums side by side,
//! added up in halves. So a product has the same bits on every machine, in any
//! batch, on any number of threads.
//!
//! The scheme is ggml's q8_0 with blocks of 64, one cache line, and scales of
//! f32: 8.5 bits a weight. A weight is off by at most its block's largest over
//! 254, an input by the same.

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

/// Input rows that a task goes through for each of its outputs: 96 rows of
/// 2,560 bytes stay in the second level of cache.
const INPUTS: usize = 96;

/// Outputs that are a task's least share.
const MIN_OUTPUTS: usize = 16;

/// Codes of a block on a cache line of their own.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Codes([u8; BLOCK]);

/// What stands for a weight of zero: codes are shifted so that they are above 0.
const ZERO: u8 = 128;

/// A weight `(n, k)` in blocks of eight bits; the last of a row is filled up
/// with zeros.
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
    /// Rounds a weight whose row `j` is what `fill(j, row)` writes, on all
    /// threads. A block with a value that is no number becomes NaN.
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

    /// `out (m, n) = fused(x (m, k) weight^T)`. Reads the weight once where `m`
    /// is at most 96, else once for each 96 rows.
    ///
    /// # Panics
    /// Where `x` or `out` is shorter than that.
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
