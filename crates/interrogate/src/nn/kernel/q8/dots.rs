//! Products of rounded input rows with rounded weight rows.

use std::ops::Range;

use super::super::super::activation::Fused;
use super::super::super::simd::{BLOCK, Kernel, Simd};
use super::super::Out;
use super::{Codes, Q8, Rounded};

/// Outputs computed together.
const OUTPUTS: usize = 4;

/// Products of some input rows with some outputs.
pub(super) struct Dots<'a> {
    pub(super) weight: &'a Q8,
    pub(super) x: &'a Rounded,
    pub(super) rows: Range<usize>,
    pub(super) outputs: Range<usize>,
    pub(super) out: Out<'a>,
    pub(super) fused: &'a Fused<'a>,
}

impl Kernel for Dots<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Dots { weight, x, rows, outputs, out, fused } = self;
        for first in (outputs.start..outputs.end).step_by(OUTPUTS) {
            let count = OUTPUTS.min(outputs.end - first);
            let mut row = rows.start;
            while S::BYTE_ROWS == 3 && row + 3 <= rows.end {
                block::<S, 3>(s, weight, x, row, first, count, out);
                row += 3;
            }
            for row in row..rows.end {
                block::<S, 1>(s, weight, x, row, first, count, out);
            }
        }
        if !fused.is_none() {
            for row in rows {
                // SAFETY: written above, and only this task has these values.
                let values = unsafe { out.part(row, outputs.start, outputs.len()) };
                fused.finish(s, values, outputs.start, row * out.stride + outputs.start);
            }
        }
    }
}

/// Computes `M` input rows from `row` on with `count` outputs from `first` on, at most
/// [`OUTPUTS`]. Missing outputs are replaced by the last one, whose sums are discarded.
#[inline(always)]
fn block<S: Simd, const M: usize>(
    s: S,
    weight: &Q8,
    x: &Rounded,
    row: usize,
    first: usize,
    count: usize,
    out: Out<'_>,
) {
    let blocks = weight.blocks();
    let output = |j: usize| first + j.min(count - 1);
    let codes: [&[Codes]; OUTPUTS] =
        std::array::from_fn(|j| &weight.codes[output(j) * blocks..][..blocks]);
    let scales: [&[f32]; OUTPUTS] =
        std::array::from_fn(|j| &weight.scales[output(j) * blocks..][..blocks]);
    let x_scales: [&[f32]; M] = std::array::from_fn(|i| &x.scales(row + i)[..blocks]);
    let mut sums = [[s.no_sums(); OUTPUTS]; M];
    for b in 0..blocks {
        let w = codes.map(|codes| codes[b].0.as_ptr());
        // The same block of the next outputs: rows end before the hardware prefetcher has warmed
        // up.
        w.into_iter().for_each(|w| s.prefetch(w.wrapping_add(OUTPUTS * blocks * BLOCK)));
        for (i, sums) in sums.iter_mut().enumerate() {
            let scale = scales.map(|scales| scales[b] * x_scales[i][b]);
            // SAFETY: a block of codes is readable on both sides.
            *sums = unsafe { s.add_dots(x.codes(row + i, b), w, scale, *sums) };
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        let to = out.at(row + i, first, count);
        for (j, sums) in sums.into_iter().take(count).enumerate() {
            // SAFETY: in bounds by `at`, and only this task has these values.
            unsafe { *to.add(j) = fold(s.lanes(sums)) };
        }
    }
}

/// The sum of sixteen lanes, folded in halves.
#[inline(always)]
fn fold(lanes: [f32; 16]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|l| lanes[l] + lanes[l + 8]);
    let four: [f32; 4] = std::array::from_fn(|l| eight[l] + eight[l + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}
