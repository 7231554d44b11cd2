//! The kernel for every processor; on aarch64 the only one.
//!
//! A direct implementation of the definition. On aarch64 the loops over lanes compile to NEON,
//! four registers per pair. An x86 processor without FMA (before 2013) calls the C library for
//! each value: correct, and slow (60 ms where AVX2 takes 2).

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::{GROUP, LANES, Scores, Step, fold, padded};

type Lanes = [f32; LANES];

/// See [`super::Kernel::widen`].
pub(super) fn widen(rows: &[f16], dim: usize, steps: &mut [Step]) {
    for v in 0..GROUP {
        let row = rows.get(v * dim..(v + 1) * dim).unwrap_or_default();
        let (sixteens, rest) = row.as_chunks();
        let rest = padded(rest);
        let sixteens = sixteens.iter().chain(std::iter::once(&rest));
        steps.iter_mut().for_each(|step| step.0[v] = [0.0; LANES]);
        for (step, sixteen) in steps.iter_mut().zip(sixteens) {
            sixteen.convert_to_f32_slice(&mut step.0[v]);
        }
    }
}

/// See [`super::Kernel::dots`]. Two rows and two queries at a time: sixteen NEON registers of
/// sums, and as many of operands.
pub(super) fn dots(rows: &[Step], queries: &[Step]) -> Scores {
    let mut scores = [[0.0; GROUP]; GROUP];
    for (q, r) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
        let mut sums = [[[0.0; LANES]; 2]; 2];
        for (rows, queries) in rows.iter().zip(queries) {
            for (sums, query) in sums.iter_mut().zip(&queries.0[q..q + 2]) {
                for (sums, row) in sums.iter_mut().zip(&rows.0[r..r + 2]) {
                    accumulate(sums, row, query);
                }
            }
        }
        for (scores, sums) in scores[q..].iter_mut().zip(&sums) {
            scores[r..r + 2].copy_from_slice(&sums.each_ref().map(fold));
        }
    }
    scores
}

/// See [`super::Kernel::single`].
pub(super) fn single(
    rows: &[f16],
    dim: usize,
    (query, lane): (&[Step], usize),
    _: usize,
    scores: &mut [f32],
) {
    for (row, score) in rows.chunks_exact(dim).zip(scores) {
        let (sixteens, rest) = row.as_chunks();
        let rest = padded(rest);
        let mut sums = [0.0; LANES];
        for (sixteen, query) in sixteens.iter().chain(std::iter::once(&rest)).zip(query) {
            let mut row = [0.0; LANES];
            sixteen.convert_to_f32_slice(&mut row);
            accumulate(&mut sums, &row, &query.0[lane]);
        }
        *score = fold(&sums);
    }
}

#[inline(always)]
fn accumulate(sums: &mut Lanes, row: &Lanes, query: &Lanes) {
    for l in 0..LANES {
        sums[l] = row[l].mul_add(query[l], sums[l]);
    }
}
