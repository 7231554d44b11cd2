//! Dot products of input rows with stored rows.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::super::activation::Fused;
use super::super::super::simd::{Kernel, Simd};
use super::super::{Out, split};
use super::Element;
use super::input::{BLOCK, Input};
use super::stored::{Stored, load_part};

/// Outputs computed together.
const OUTPUTS: usize = 4;

/// The most lanes of a vector.
const MAX_LANES: usize = 16;

/// Bytes of a stored value.
const SIZE: usize = Element::SIZE;

/// Bytes in a cache line.
const LINE: usize = 64;

/// Products of some input rows with some outputs.
pub(super) struct Dots<'a> {
    /// The rows of all outputs.
    pub(super) weight: &'a [u8],
    pub(super) k: usize,
    pub(super) x: Input<'a>,
    /// The number of the first output row, and that of rows.
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) outputs: Range<usize>,
    pub(super) out: Out<'a>,
    pub(super) fused: &'a Fused<'a>,
}

pub(super) struct DotsOf<'a, W>(Dots<'a>, PhantomData<W>);

impl<'a> Dots<'a> {
    pub(super) fn with<W: Stored>(self, _: W) -> DotsOf<'a, W> {
        DotsOf(self, PhantomData)
    }
}

impl<W: Stored> Kernel for DotsOf<'_, W> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Dots { weight, k, x, row, rows, outputs, out, fused } = self.0;
        let parts = split::even(rows, S::DOT_ROWS);
        for first in outputs.clone().step_by(OUTPUTS) {
            let len = OUTPUTS.min(outputs.end - first);
            for from in (0..k).step_by(BLOCK) {
                let block = BLOCK.min(k - from);
                let stored = |j: usize| {
                    let at = ((first + j) * k + from) * SIZE;
                    &weight[at..at + block * SIZE]
                };
                // The next outputs, in the order of the file: while a block is computed, as many
                // of their bytes are prefetched, a share with each part of the input.
                let next = ((first + OUTPUTS) * k + from * OUTPUTS) * SIZE;
                let share = block * OUTPUTS * SIZE / parts.len().max(1);
                let step = (OUTPUTS * SIZE).div_ceil(parts.len().max(1));
                for (number, part) in parts.clone().enumerate() {
                    let at = weight.as_ptr().wrapping_add(next + number * share);
                    let target = DotBlock {
                        x: x.at(part.start, from),
                        stride: x.row,
                        row: row + part.start,
                        column: first,
                        out,
                        ahead: Ahead { at, step },
                        fresh: from == 0,
                    };
                    dots::<S, W>(s, stored, len, part.len(), target);
                }
            }
        }
        if !fused.is_none() {
            for row in row..row + rows {
                // SAFETY: written above, and only this task has these values.
                let values = unsafe { out.part(row, outputs.start, outputs.len()) };
                fused.finish(s, values, outputs.start, row * out.stride + outputs.start);
            }
        }
    }
}

/// What a block prefetches: rows too short for the hardware prefetcher. One input row with 4,096
/// x 1,024 weights in f16 reads 28 GB/s on one thread of an AMD EPYC Zen 4; it read 11 when four
/// rows were prefetched side by side instead of one after the other.
#[derive(Clone, Copy)]
struct Ahead {
    /// Any address is harmless.
    at: *const u8,
    /// Bytes per value along `k`.
    step: usize,
}

/// The operands of a block of dot products.
#[derive(Clone, Copy)]
struct DotBlock<'a> {
    /// The input, from the first row's first value on.
    x: &'a [f32],
    /// Values from one input row to the next.
    stride: usize,
    /// The first output row and column.
    row: usize,
    column: usize,
    out: Out<'a>,
    ahead: Ahead,
    /// Whether sums are stored, or else added to the values there.
    fresh: bool,
}

/// Computes the dot products of `count` input rows with `len` weight rows.
#[inline(always)]
fn dots<'w, S: Simd, W: Stored>(
    s: S,
    row: impl Fn(usize) -> &'w [u8],
    len: usize,
    count: usize,
    target: DotBlock<'_>,
) {
    macro_rules! choose {
        ($($m:literal)*) => {
            match count {
                $($m if $m <= S::DOT_ROWS => {
                    if len == OUTPUTS {
                        return block::<S, W, $m, OUTPUTS>(s, std::array::from_fn(&row), target);
                    }
                    for j in 0..len {
                        let target = DotBlock { column: target.column + j, ..target };
                        block::<S, W, $m, 1>(s, [row(j)], target);
                    }
                })*
                _ => unreachable!("a block of {count} rows"),
            }
        };
    }
    choose!(1 2 3 4 5 6);
}

/// Computes `M` input rows with `J` weight rows. The sums of each stay in the lanes of a
/// register until the end.
#[inline(always)]
fn block<S: Simd, W: Stored, const M: usize, const J: usize>(
    s: S,
    rows: [&[u8]; J],
    at: DotBlock<'_>,
) {
    let k = rows[0].len() / SIZE;
    assert!(rows.iter().all(|row| row.len() == k * SIZE));
    assert!(at.x.len() >= (M - 1) * at.stride + k);
    let mut sums = [[s.splat(0.0); J]; M];
    let whole = k - k % S::LANES;
    for from in (0..whole).step_by(S::LANES) {
        // SAFETY: LANES values are left in each weight row at `from`, and in each of the M input
        // rows, as asserted.
        let weights = rows.map(|row| unsafe { W::load(s, row.as_ptr().add(from * SIZE)) });
        for line in (0..S::LANES * J * SIZE).step_by(LINE) {
            s.prefetch(at.ahead.at.wrapping_add(from * at.ahead.step + line));
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { s.load(at.x.as_ptr().add(i * at.stride + from)) };
            for (sum, &weights) in sums.iter_mut().zip(&weights) {
                *sum = s.fma(x, weights, *sum);
            }
        }
    }
    // By way of memory: a loop over the sums would keep them there in the loop above as well
    // (six rows in f16: 41 GFLOP/s, not 105).
    let mut lanes = [[[0.0; MAX_LANES]; J]; M];
    for (lanes, sums) in lanes.iter_mut().zip(&sums) {
        for (lanes, &sum) in lanes.iter_mut().zip(sums) {
            s.write(lanes, sum);
        }
    }
    for (i, lanes) in lanes.iter().enumerate() {
        let to = at.out.at(at.row + i, at.column, J);
        for (j, lanes) in lanes.iter().enumerate() {
            let mut sum = s.read(lanes);
            if whole < k {
                let x = s.read_part(&at.x[i * at.stride + whole..i * at.stride + k], 0.0);
                sum = s.fma(x, load_part::<S, W>(s, &rows[j][whole * SIZE..]), sum);
            }
            let sum = s.sum(sum);
            // SAFETY: in bounds by `at`, only this task's, and initialized unless fresh.
            unsafe { *to.add(j) = if at.fresh { sum } else { *to.add(j) + sum } };
        }
    }
}
