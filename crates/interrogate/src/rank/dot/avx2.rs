//! The kernel for processors with AVX2, FMA and F16C: two registers a pair of
//! row and query, four pairs in flight.

use std::arch::x86_64::*;

use half::f16;

use super::{GROUP, LANES, Scores, Step, padded};

/// Sixteen lanes: 0 to 7, and 8 to 15.
type Pair = [__m256; 2];

/// See [`super::Kernel::widen`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen(rows: &[f16], dim: usize, steps: &mut [Step]) {
    for v in 0..GROUP {
        let row = rows.get(v * dim..(v + 1) * dim).unwrap_or_default();
        let (sixteens, rest) = row.as_chunks();
        let (whole, behind) = steps.split_at_mut(sixteens.len().min(steps.len()));
        for (step, sixteen) in whole.iter_mut().zip(sixteens) {
            store(&mut step.0[v], load_half(sixteen));
        }
        behind.iter_mut().for_each(|step| step.0[v] = [0.0; LANES]);
        if let Some(step) = behind.first_mut() {
            store(&mut step.0[v], load_half(&padded(rest)));
        }
    }
}

/// See [`super::Kernel::dots`]. Two rows and two queries at a time, for there
/// are sixteen registers.
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

/// See [`super::Kernel::single`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn single(rows: &[f16], dim: usize, query: &[Step], scores: &mut [f32]) {
    for (rows, scores) in rows.chunks(GROUP * dim).zip(scores.chunks_mut(GROUP)) {
        // Where fewer than four rows are left, the last of them fills up.
        let last = rows.len() / dim - 1;
        let rows = [0, 1, 2, 3].map(|r: usize| rows[r.min(last) * dim..][..dim].as_chunks());
        let mut sums = [[_mm256_setzero_ps(); 2]; 4];
        for (i, step) in query.iter().enumerate() {
            let query = load(&step.0[0]);
            for (sum, (sixteens, rest)) in sums.iter_mut().zip(&rows) {
                let row = match sixteens.get(i) {
                    Some(sixteen) => load_half(sixteen),
                    None => load_half(&padded(rest)),
                };
                add_product(sum, row, query);
            }
        }
        scores.copy_from_slice(&fold_4(&sums)[..scores.len()]);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_product(sums: &mut Pair, row: Pair, query: Pair) {
    sums[0] = _mm256_fmadd_ps(row[0], query[0], sums[0]);
    sums[1] = _mm256_fmadd_ps(row[1], query[1], sums[1]);
}

/// [`super::fold`] for four pairs of registers at once, with the same additions.
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

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load(lanes: &[f32; LANES]) -> Pair {
    // SAFETY: the reference is to 64 readable bytes, the second half of which
    // starts eight values on; no alignment is asked for.
    unsafe { [_mm256_loadu_ps(lanes.as_ptr()), _mm256_loadu_ps(lanes.as_ptr().add(8))] }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_half(lanes: &[f16; LANES]) -> Pair {
    let lanes: *const f16 = lanes.as_ptr();
    // SAFETY: the reference was to 32 readable bytes (an f16 is a u16 in
    // memory), the second half of which starts eight values on; no alignment is
    // asked for.
    let halves = unsafe { [_mm_loadu_si128(lanes.cast()), _mm_loadu_si128(lanes.add(8).cast())] };
    halves.map(|half| _mm256_cvtph_ps(half))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn store(lanes: &mut [f32; LANES], registers: Pair) {
    // SAFETY: the reference is to 64 writable bytes, the second half of which
    // starts eight values on; no alignment is asked for.
    unsafe {
        _mm256_storeu_ps(lanes.as_mut_ptr(), registers[0]);
        _mm256_storeu_ps(lanes.as_mut_ptr().add(8), registers[1]);
    }
}
