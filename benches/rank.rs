//! Top-k over 100,970 rows of 512 values, the shape of the flavors table under
//! ViT-B/32, beside other ways to the same result.
//!
//! - `codes`: `Rows::top_k` over rows with codes, as an index has them.
//! - `rows`: the same without codes: every row is read.
//! - `full_sort`: all scores by rayon, each from the widened row in sixteen sums
//!   that the compiler can keep in vectors, then all rows sorted.
//! - `candle`: a matrix product and an `arg_sort`, on rows that were widened to
//!   f32 beforehand, because candle's f16 product is slower here.
//! - `naive`: one thread, a value at a time. For one query alone: 64 take
//!   seconds.
//!
//! Rows are random, or distributed as real embeddings are. The last group takes the top
//! 2,048 of 111,867 rows, as a chain does.
//! `cargo bench -p interrogate --bench rank`, about a minute.

#[path = "rank/rivals.rs"]
mod rivals;
#[path = "rank/tables.rs"]
mod tables;

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Tensor};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use interrogate::encoder::Features;
use interrogate::rank::Order;

use tables::{DIM, Shape, Table};

const N: usize = 100_970;
const K: usize = 3;

/// Rows of all tables merged, and candidates of a chain.
const MERGED: usize = 111_867;
const CHAIN: usize = 2_048;

fn rank(c: &mut Criterion) {
    for (name, shape) in [("random", Shape::Random), ("anisotropic", Shape::Anisotropic)] {
        let wide = tables::rows(shape, N, 0);
        let table = Table::new(&wide);
        let wide = Tensor::from_slice(wide.as_slice(), (N, DIM), &Device::Cpu).expect("a table");
        let images = tables::images(shape, 64);
        let (coded, bare) = (table.coded(), table.bare());
        for count in [1, 64] {
            let images = &images[..count];
            let values: Vec<f32> = images.iter().flat_map(Features::as_slice).copied().collect();
            let tensor = Tensor::from_vec(values, (count, DIM), &Device::Cpu).expect("images");
            let mut group = c.benchmark_group(format!("rank/{name}/{count}"));
            configure(&mut group, N * count);
            group.bench_function("codes", |b| {
                b.iter(|| coded.top_k(black_box(images), K, Order::Best));
            });
            group.bench_function("rows", |b| {
                b.iter(|| bare.top_k(black_box(images), K, Order::Best));
            });
            if let Shape::Anisotropic = shape {
                group.bench_function("full_sort", |b| {
                    b.iter(|| rivals::full_sort(&table.rows, black_box(images)));
                });
                group.bench_function("candle", |b| {
                    b.iter(|| rivals::candle(&wide, black_box(&tensor)));
                });
                if let [image] = images {
                    group.bench_function("naive", |b| {
                        b.iter(|| rivals::naive(&table.rows, black_box(image)));
                    });
                }
            }
            group.finish();
        }
    }
}

fn chain(c: &mut Criterion) {
    for (name, shape) in [("random", Shape::Random), ("anisotropic", Shape::Anisotropic)] {
        let table = Table::new(&tables::rows(shape, MERGED, 0));
        let image = tables::images(shape, 1);
        let (coded, bare) = (table.coded(), table.bare());
        let mut group = c.benchmark_group(format!("rank/{name}/k2048"));
        configure(&mut group, MERGED);
        group.bench_function("codes", |b| {
            b.iter(|| coded.top_k(black_box(&image), CHAIN, Order::Best));
        });
        group.bench_function("rows", |b| {
            b.iter(|| bare.top_k(black_box(&image), CHAIN, Order::Best));
        });
        group.finish();
    }
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn configure(group: &mut Group<'_>, rows: usize) {
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(rows as u64));
}

criterion_group!(benches, rank, chain);
criterion_main!(benches);
