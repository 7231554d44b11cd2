//! Other ways to the same result.

use candle_core::Tensor;
use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::encoder::Features;
use rayon::prelude::*;

use super::K;
use super::tables::DIM;

fn dot(row: &[f32], query: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for (row, query) in row.as_chunks::<16>().0.iter().zip(query.as_chunks::<16>().0) {
        for lane in 0..16 {
            sums[lane] += row[lane] * query[lane];
        }
    }
    sums.iter().sum()
}

/// Computes all scores in f32, then sorts them for each query.
pub(super) fn full_sort(table: &[f16], queries: &[Features]) -> Vec<Vec<(usize, f32)>> {
    let widened = |row: &[f16]| {
        let mut wide = [0.0; DIM];
        row.convert_to_f32_slice(&mut wide);
        wide
    };
    let scores: Vec<Vec<f32>> = table
        .par_chunks(DIM)
        .map(widened)
        .map(|row| queries.iter().map(|query| dot(&row, query.as_slice())).collect())
        .collect();
    let first = |query: usize| {
        let mut all: Vec<_> = scores.iter().map(|scores| scores[query]).enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(K);
        all
    };
    (0..queries.len()).into_par_iter().map(first).collect()
}

/// Computes one value at a time, and keeps the best three by insertion.
pub(super) fn naive(table: &[f16], query: &Features) -> Vec<(usize, f32)> {
    let mut best = vec![(0, f32::NEG_INFINITY); K + 1];
    for (row, values) in table.chunks(DIM).enumerate() {
        let pairs = values.iter().zip(query.as_slice());
        best[K] = (row, pairs.map(|(value, query)| value.to_f32() * query).sum());
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    best.truncate(K);
    best
}

/// Product and `arg_sort`, queries (q, dim) and table (n, dim) in f32.
pub(super) fn candle(table: &Tensor, queries: &Tensor) -> candle_core::Result<Vec<Vec<u32>>> {
    let scores = queries.matmul(&table.t()?)?;
    scores.arg_sort_last_dim(false)?.narrow(1, 0, K)?.to_vec2()
}
