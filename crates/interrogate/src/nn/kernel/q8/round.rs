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
        let mut values = [0.0f32; BLOCK];
        values[..self.values.len()].copy_from_slice(self.values);
        let (mut most, mut not_finite) = (s.splat(0.0), s.splat(0.0));
        for part in values.chunks_exact(S::LANES) {
            let v = s.read(part);
            most = s.max(s.max(v, s.sub(s.splat(0.0), v)), most);
            // 0 for a finite value, NaN for infinity and NaN.
            not_finite = s.add(not_finite, s.sub(v, v));
        }
        let mut lanes = [0.0; 16];
        s.write(&mut lanes, most);
        let most = lanes.iter().copied().fold(0.0, f32::max);
        let (scale, inverse) = (most / 127.0, 127.0 / most);
        // A block of zeros, or one so small that the inverse overflows, is rounded to zero.
        let inverse = if inverse.is_finite() { inverse } else { 0.0 };
        for part in values.chunks_exact_mut(S::LANES) {
            let v = s.round(s.mul(s.read(part), s.splat(inverse)));
            s.write(part, v);
        }
        // At most 127 up to rounding, which the saturating cast limits.
        for (code, value) in self.codes.iter_mut().zip(values) {
            *code = (value as i8).max(-127);
        }
        scale + s.sum(not_finite)
    }
}

/// Rows of an input, rounded.
pub(super) struct Rounded {
    /// (rows, blocks) of [`BLOCK`] codes, then (rows, blocks) scales.
    values: Scratch,
    blocks: usize,
    rows: usize,
}

/// f32 values that hold the codes of a block.
const CODES_LEN: usize = BLOCK / 4;

impl Rounded {
    pub(super) fn of(isa: Isa, x: &[f32], k: usize) -> Self {
        let (rows, blocks) = (x.len() / k, k.div_ceil(BLOCK));
        let mut values = Scratch::with_len(rows * blocks * (CODES_LEN + 1));
        let (codes, scales) = values.split_at_mut(rows * blocks * CODES_LEN);
        let rounded = codes.par_chunks_mut(blocks * CODES_LEN).zip(scales.par_chunks_mut(blocks));
        // Rounding a row takes about a microsecond, so several rows make a task.
        rounded.zip(x.par_chunks(k)).with_min_len(8).for_each(|((codes, scales), x)| {
            let blocks = x.chunks(BLOCK).zip(codes.chunks_exact_mut(CODES_LEN)).zip(scales);
            for ((values, to), scale) in blocks {
                let mut codes = [0i8; BLOCK];
                *scale = isa.run(Round { values, codes: &mut codes });
                for (to, four) in to.iter_mut().zip(codes.chunks_exact(4)) {
                    let bytes = [four[0], four[1], four[2], four[3]].map(i8::cast_unsigned);
                    *to = f32::from_ne_bytes(bytes);
                }
            }
        });
        Rounded { values, blocks, rows }
    }

    /// The codes of a block.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize, block: usize) -> *const i8 {
        let at = (row * self.blocks + block) * CODES_LEN;
        self.values[at..at + CODES_LEN].as_ptr().cast()
    }

    /// The scales of a row.
    #[inline(always)]
    pub(super) fn scales(&self, row: usize) -> &[f32] {
        let start = self.rows * self.blocks * CODES_LEN + row * self.blocks;
        &self.values[start..start + self.blocks]
    }
}
