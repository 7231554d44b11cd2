//! The kernel for processors with AVX-512: one register per pair of row and query, sixteen pairs
//! in flight.

use std::arch::x86_64::*;
use std::array;

use half::f16;

use super::registers::avx512::{load, load_half, prefetch, store};
use super::{GROUP, LANES, PREFETCH_DISTANCE, Scores, Step, fold, padded};

/// See [`super::Kernel::widen`].
#[target_feature(enable = "avx512f")]
pub(super) fn widen(rows: &[f16], dim: usize, steps: &mut [Step]) {
    for v in 0..GROUP {
        let row = rows.get(v * dim..(v + 1) * dim).unwrap_or_default();
        let (sixteens, rest) = row.as_chunks();
        let (whole, behind) = steps.split_at_mut(sixteens.len().min(steps.len()));
        for (step, sixteen) in whole.iter_mut().zip(sixteens) {
            prefetch(sixteen, PREFETCH_DISTANCE);
            store(&mut step.0[v], load_half(sixteen));
        }
        behind.iter_mut().for_each(|step| step.0[v] = [0.0; LANES]);
        if let Some(step) = behind.first_mut() {
            store(&mut step.0[v], load_half(&padded(rest)));
        }
    }
}

/// See [`super::Kernel::dots`].
#[target_feature(enable = "avx512f")]
pub(super) fn dots(rows: &[Step], queries: &[Step]) -> Scores {
    let mut sums = [[_mm512_setzero_ps(); GROUP]; GROUP];
    for (rows, queries) in rows.iter().zip(queries) {
        let queries = [0, 1, 2, 3].map(|q| load(&queries.0[q]));
        for (sums, row) in sums.iter_mut().zip(&rows.0) {
            let row = load(row);
            for (sum, query) in sums.iter_mut().zip(queries) {
                *sum = _mm512_fmadd_ps(row, query, *sum);
            }
        }
    }
    fold_16(&sums)
}

/// See [`super::Kernel::single`].
///
/// One row at a time, although its additions depend on each other: the processor overlaps rows
/// by out-of-order execution, and reading memory in one stream matters more.
#[target_feature(enable = "avx512f")]
pub(super) fn single(
    rows: &[f16],
    dim: usize,
    (query, lane): (&[Step], usize),
    distance: usize,
    scores: &mut [f32],
) {
    for (row, score) in rows.chunks_exact(dim).zip(scores) {
        let (sixteens, rest) = row.as_chunks();
        let mut sum = _mm512_setzero_ps();
        for (sixteen, step) in sixteens.iter().zip(query) {
            prefetch(sixteen, distance);
            sum = _mm512_fmadd_ps(load_half(sixteen), load(&step.0[lane]), sum);
        }
        if let Some(step) = query.get(sixteens.len()) {
            sum = _mm512_fmadd_ps(load_half(&padded(rest)), load(&step.0[lane]), sum);
        }
        let mut lanes = [0.0; LANES];
        store(&mut lanes, sum);
        *score = fold(&lanes);
    }
}

/// [`fold`] for sixteen registers at once: row `r` and query `q` are in `sums[r][q]`. Each step
/// halves the number of registers, joining two with the additions of `fold`.
#[target_feature(enable = "avx512f")]
fn fold_16(sums: &[[__m512; GROUP]; GROUP]) -> Scores {
    let quarters = sums.map(|[a, b, c, d]| {
        // a[l] + a[l + 8], in quarters [a, a, b, b] and [c, c, d, d]
        let ab = _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b),
            _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b),
        );
        let cd = _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b01_00_01_00>(c, d),
            _mm512_shuffle_f32x4::<0b11_10_11_10>(c, d),
        );
        // a[l] + a[l + 4], in quarters [a, b, c, d]
        _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd),
            _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd),
        )
    });
    let [r0, r1, r2, r3] = quarters;
    // a[l] + a[l + 2]: in each quarter [r0, r1, r0, r1] and [r2, r3, r2, r3]
    let r01 = _mm512_add_ps(_mm512_unpacklo_ps(r0, r1), _mm512_unpackhi_ps(r0, r1));
    let r23 = _mm512_add_ps(_mm512_unpacklo_ps(r2, r3), _mm512_unpackhi_ps(r2, r3));
    // a[0] + a[1]: in quarter q [r0, r1, r2, r3]
    let all = _mm512_add_ps(
        _mm512_shuffle_ps::<0b01_00_01_00>(r01, r23),
        _mm512_shuffle_ps::<0b11_10_11_10>(r01, r23),
    );
    let mut scores = [0.0; LANES];
    store(&mut scores, all);
    array::from_fn(|q| array::from_fn(|r| scores[GROUP * q + r]))
}
