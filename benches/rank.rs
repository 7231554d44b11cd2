//! Top-k over 100,970 rows of 512 f16 values, the shape of the flavors table
//! under ViT-B/32, beside three other ways to the same answer.
//!
//! - `interrogate`: `Rows::top_k`, on all threads.
//! - `full_sort`: all scores by rayon, each from the widened row in sixteen sums
//!   that the compiler can keep in vectors, then all rows sorted.
//! - `candle`: a matrix product and an `arg_sort`, on rows that were widened to
//!   f32 beforehand, because candle's f16 product is slower here.
//! - `naive`: one thread, a value at a time. For one query alone: 64 take
//!   seconds.
//!
//! The rows are as real embeddings are: a shared mean of norm 0.7 and three
//! large dimensions. `cargo bench -p interrogate --bench rank`, under a minute.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Tensor};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use half::f16;
use half::slice::HalfFloatSliceExt;
use interrogate::encoder::{Embeddings, Features};
use interrogate::rank::{Order, Rows};
use rayon::prelude::*;

const N: usize = 100_970;
const DIM: usize = 512;
const K: usize = 3;

/// A linear congruential generator (Knuth's MMIX constants), as -1..1.
fn noise(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn unit_rows(rows: usize, state: &mut u64) -> Embeddings {
    let values = (0..rows * DIM).map(|_| noise(state)).collect();
    Embeddings::new(DIM, values).expect("noise has a direction")
}

/// The table's values.
fn table() -> Vec<f16> {
    let state = &mut 1;
    let mean = unit_rows(1, state);
    let mut own: Vec<f32> = (0..N * DIM).map(|_| noise(state)).collect();
    own.chunks_mut(DIM).for_each(|row| row[..3].iter_mut().for_each(|large| *large *= 10.0));
    let own = Embeddings::new(DIM, own).expect("noise has a direction");
    // 0.7 of the mean and sqrt(1 - 0.7^2) of the row's own direction.
    let joined = own.rows().flat_map(|own| {
        own.iter().zip(mean.as_slice()).map(|(own, mean)| 0.7 * mean + 0.714 * own)
    });
    let rows = Embeddings::new(DIM, joined.collect()).expect("noise has a direction");
    rows.as_slice().iter().copied().map(f16::from_f32).collect()
}

fn dot(row: &[f32], query: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for (row, query) in row.as_chunks::<16>().0.iter().zip(query.as_chunks::<16>().0) {
        for lane in 0..16 {
            sums[lane] += row[lane] * query[lane];
        }
    }
    sums.iter().sum()
}

/// Scores in f32, one list a query; then every list sorted.
fn full_sort(table: &[f16], queries: &[Features]) -> Vec<Vec<(usize, f32)>> {
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

/// A value at a time, and the best three by insertion.
fn naive(table: &[f16], query: &Features) -> Vec<(usize, f32)> {
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
fn candle(table: &Tensor, queries: &Tensor) -> candle_core::Result<Vec<Vec<u32>>> {
    let scores = queries.matmul(&table.t()?)?;
    scores.arg_sort_last_dim(false)?.narrow(1, 0, K)?.to_vec2()
}

fn rank(c: &mut Criterion) {
    let table = table();
    let rows = Rows::new(DIM, vec![&table]).expect("whole rows");
    let wide: Vec<f32> = table.iter().map(|value| value.to_f32()).collect();
    let wide = Tensor::from_vec(wide, (N, DIM), &Device::Cpu).expect("a table");
    let queries = unit_rows(64, &mut 2);
    for count in [1, 64] {
        let queries = &queries.as_slice()[..count * DIM];
        let tensor = Tensor::from_slice(queries, (count, DIM), &Device::Cpu).expect("queries");
        let features = queries.chunks(DIM).map(|query| Features::new(query.to_vec()));
        let features: Vec<Features> = features.collect::<Result<_, _>>().expect("unit rows");

        let mut group = c.benchmark_group(format!("rank/{count}"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
        group.throughput(Throughput::Elements((N * count) as u64));
        group.bench_function("interrogate", |b| {
            b.iter(|| rows.top_k(black_box(&features), K, Order::Best));
        });
        group.bench_function("full_sort", |b| b.iter(|| full_sort(&table, black_box(&features))));
        group.bench_function("candle", |b| b.iter(|| candle(&wide, black_box(&tensor))));
        if let [query] = &features[..] {
            group.bench_function("naive", |b| b.iter(|| naive(&table, black_box(query))));
        }
        group.finish();
    }
}

criterion_group!(benches, rank);
criterion_main!(benches);
