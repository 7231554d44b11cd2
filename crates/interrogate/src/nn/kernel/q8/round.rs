//! Rounding to eight bits: of a block, and of the rows of an input.

use rayon::prelude::*;

use super::super::super::scratch::Scratch;
use super::super::super::simd::{BLOCK, Isa, Kernel, Simd};

/// Rounds a block to integers between -127 and 127, padded with zeros, and returns its scale.
pub(super) struct Round<'a> {
    /// At most [`BLOCK`].
    pub(super) values: &'a [f32],
    pub(super) codes: &'a mut [i8; BLOCK],
}

impl Kernel for Round<'_> {
    type Out = f32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        match self.values.as_array::<BLOCK>() {
            Some(values) => round(s, values, self.codes),
            None => {
                let mut values = [0.0f32; BLOCK];
                values[..self.values.len()].copy_from_slice(self.values);
                round(s, &values, self.codes)
            }
        }
    }
}

#[inline(always)]
fn round<S: Simd>(s: S, values: &[f32; BLOCK], codes: &mut [i8; BLOCK]) -> f32 {
    let (mut most, mut not_finite) = (s.splat(0.0), s.splat(0.0));
    for part in values.chunks_exact(S::LANES) {
        let v = s.read(part);
        most = s.max(s.max(v, s.sub(s.splat(0.0), v)), most);
        // 0 for a finite value, NaN for infinity and NaN.
        not_finite = s.add(not_finite, s.sub(v, v));
    }
    let most = s.highest(most);
    let (scale, inverse) = (most / 127.0, 127.0 / most);
    // A block of zeros, or one so small that the inverse overflows, is rounded to zero.
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    for (part, codes) in values.chunks_exact(S::LANES).zip(codes.chunks_exact_mut(S::LANES)) {
        let v = s.mul(s.read(part), s.splat(inverse));
        // SAFETY: LANES codes.
        unsafe { s.round_bytes(v, codes.as_mut_ptr()) };
    }
    scale + s.sum(not_finite)
}

/// f32 values that hold the codes of a block.
const CODES_LEN: usize = BLOCK / 4;

/// Values per row of a block: its codes, its scale, and the sum of its codes.
const ROW: usize = CODES_LEN + 2;

/// Rows of an input, rounded.
pub(super) struct Rounded {
    /// Block by block: the codes of all rows, their scales, and the sums of their codes.
    values: Scratch,
    rows: usize,
}

impl Rounded {
    /// Rounds the rows of `x` (rows, k) on this thread.
    pub(super) fn here(isa: Isa, x: &[f32], k: usize) -> Self {
        let mut rounded = Rounded::empty(x, k);
        let block = rounded.rows * ROW;
        let blocks = rounded.values.chunks_exact_mut(block).enumerate();
        blocks.for_each(|(block, to)| isa.run(RoundBlock { x, k, block, to }));
        rounded
    }

    /// Does the same on all threads.
    pub(super) fn on_all_threads(isa: Isa, x: &[f32], k: usize) -> Self {
        let mut rounded = Rounded::empty(x, k);
        let block = rounded.rows * ROW;
        let blocks = rounded.values.par_chunks_exact_mut(block).enumerate();
        // A block of a row takes some 20 ns: tasks of at least 256 of them.
        let least = 256_usize.div_ceil(rounded.rows);
        blocks.with_min_len(least).for_each(|(block, to)| isa.run(RoundBlock { x, k, block, to }));
        rounded
    }

    fn empty(x: &[f32], k: usize) -> Self {
        let (rows, blocks) = (x.len() / k, k.div_ceil(BLOCK));
        Rounded { values: Scratch::with_len(blocks * rows * ROW), rows }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Block `number` of all rows.
    #[inline(always)]
    pub(super) fn block(&self, number: usize) -> RoundedBlock<'_> {
        let values = &self.values[number * self.rows * ROW..][..self.rows * ROW];
        let (codes, rest) = values.split_at(self.rows * CODES_LEN);
        let (scales, sums) = rest.split_at(self.rows);
        RoundedBlock { codes, scales, sums }
    }
}

/// A block of all rows.
pub(super) struct RoundedBlock<'a> {
    codes: &'a [f32],
    scales: &'a [f32],
    sums: &'a [f32],
}

impl RoundedBlock<'_> {
    /// The codes of `rows` rows from `row` on, row by row.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize, rows: usize) -> *const i8 {
        self.codes[row * CODES_LEN..][..rows * CODES_LEN].as_ptr().cast()
    }

    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        self.scales[row]
    }

    /// The sum of a row's codes.
    #[inline(always)]
    pub(super) fn sum(&self, row: usize) -> i32 {
        self.sums[row].to_bits().cast_signed()
    }
}

/// Rounds a block of all rows of `x`.
struct RoundBlock<'a> {
    x: &'a [f32],
    k: usize,
    block: usize,
    to: &'a mut [f32],
}

impl Kernel for RoundBlock<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let RoundBlock { x, k, block, to } = self;
        let rows = to.len() / ROW;
        let (codes, rest) = to.split_at_mut(rows * CODES_LEN);
        let (scales, sums) = rest.split_at_mut(rows);
        let to = codes.chunks_exact_mut(CODES_LEN).zip(scales).zip(sums);
        for (x, ((to, scale), sum)) in x.chunks_exact(k).zip(to) {
            let mut codes = [0i8; BLOCK];
            let values = &x[block * BLOCK..k.min((block + 1) * BLOCK)];
            *scale = Round { values, codes: &mut codes }.run(s);
            let total: i32 = codes.iter().map(|&code| i32::from(code)).sum();
            *sum = f32::from_bits(total.cast_unsigned());
            for (to, four) in to.iter_mut().zip(codes.as_chunks::<4>().0) {
                *to = f32::from_ne_bytes(four.map(i8::cast_unsigned));
            }
        }
    }
}
