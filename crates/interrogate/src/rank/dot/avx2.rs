//! The kernel for processors with AVX2, FMA and F16C: two registers per pair of row and query,
//! four pairs in flight.

use std::arch::x86_64::*;

use half::f16;

use super::registers::avx2::{Pair, load, load_half, prefetch, store};
use super::{GROUP, LANES, PREFETCH_DISTANCE, Scores, Step, fold, padded};

/// See [`super::Kernel::widen`].
#[target_feature(enable = "avx2,fma,f16c")]
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

/// See [`super::Kernel::dots`]. Two rows and two queries at a time, as there are sixteen
/// registers.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dots(rows: &[Step], queries: &[Step]) -> Scores {
    let mut scores = [[0.0; GROUP]; GROUP];
    for (q, r) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
        let mut sums = [[_mm256_setzero_ps(); 2]; 4];
        for (rows, queries) in rows.iter().zip(queries) {
            let rows = [load(&rows.0[r]), load(&rows.0[r + 1])];
            let queries = [load(&queries.0[q]), load(&queries.0[q + 1])];
            for (i, sum) in sums.iter_mut().enumerate() {
                add_product(sum, rows[i % 2], queries[i / 2]);
            }
        }
        let [a, b, c, d] = fold_4(&sums);
        scores[q][r..r + 2].copy_from_slice(&[a, b]);
        scores[q + 1][r..r + 2].copy_from_slice(&[c, d]);
    }
    scores
}

/// See [`super::Kernel::single`]. One row at a time, as in `avx512`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn single(
    rows: &[f16],
    dim: usize,
    (query, lane): (&[Step], usize),
    distance: usize,
    scores: &mut [f32],
) {
    for (row, score) in rows.chunks_exact(dim).zip(scores) {
        let (sixteens, rest) = row.as_chunks();
        let mut sums = [_mm256_setzero_ps(); 2];
        for (sixteen, step) in sixteens.iter().zip(query) {
            prefetch(sixteen, distance);
            add_product(&mut sums, load_half(sixteen), load(&step.0[lane]));
        }
        if let Some(step) = query.get(sixteens.len()) {
            add_product(&mut sums, load_half(&padded(rest)), load(&step.0[lane]));
        }
        let mut lanes = [0.0; LANES];
        store(&mut lanes, sums);
        *score = fold(&lanes);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_product(sums: &mut Pair, row: Pair, query: Pair) {
    sums[0] = _mm256_fmadd_ps(row[0], query[0], sums[0]);
    sums[1] = _mm256_fmadd_ps(row[1], query[1], sums[1]);
}

/// [`fold`] for four pairs of registers at once, with the same additions.
#[target_feature(enable = "avx2,fma,f16c")]
fn fold_4(sums: &[Pair; 4]) -> [f32; 4] {
    // a[l] + a[l + 8]
    let [a, b, c, d] = sums.map(|[low, high]| _mm256_add_ps(low, high));
    // a[l] + a[l + 4]: in halves [a, b] and [c, d]
    let ab =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
    let cd =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(c, d), _mm256_permute2f128_ps::<0x31>(c, d));
    // a[l] + a[l + 2]: in halves [a, c, a, c] and [b, d, b, d]
    let all = _mm256_add_ps(_mm256_unpacklo_ps(ab, cd), _mm256_unpackhi_ps(ab, cd));
    // a[0] + a[1]: in halves [a, c, ..] and [b, d, ..]
    let all = _mm256_add_ps(all, _mm256_shuffle_ps::<0b11_10_11_10>(all, all));
    let mut lanes = [0.0; LANES];
    store(&mut lanes, [all, all]);
    [lanes[0], lanes[4], lanes[1], lanes[5]]
}
