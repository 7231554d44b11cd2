//! Rankings on a device against the CPU's. One test body runs on every device, always including
//! candle's own CPU device.

use candle_core::Device;
use half::f16;
use proptest::prelude::*;

use super::super::tests::shapes::{Shape, noise, row};
use super::*;
use crate::nn::devices;

mod kernels;

fn features(dim: usize, seed: u64) -> Features {
    Features::new((0..dim).map(|d| noise(seed, d as u64)).collect()).unwrap()
}

fn values(shape: Shape, dim: usize, count: usize, seed: u64) -> Vec<f16> {
    (0..count).flat_map(|r| row(shape, dim, seed, r)).map(f16::from_f32).collect()
}

fn bits(ranked: &[Vec<Hit>]) -> Vec<Vec<(usize, u32)>> {
    let bits = |hit: &Hit| (hit.row, hit.score.to_bits());
    ranked.iter().map(|hits| hits.iter().map(bits).collect()).collect()
}

/// With all rows resident, half of them, and none: the same result, bit for bit.
fn compare(rows: &Rows<'_>, queries: &[Features], ks: &[usize]) {
    for device in devices() {
        let all = (rows.len() * rows.dim() * 2) as u64;
        for bytes in [u64::MAX, all / 2, 0] {
            let resident = Resident::on_candle(&device, rows, bytes).unwrap();
            if bytes == 0 {
                assert_eq!(resident.resident(), 0);
            }
            for order in [Order::Best, Order::Worst] {
                for &k in ks {
                    let expected = rows.top_k(queries, k, order).unwrap();
                    let found = resident.top_k(rows, queries, k, order).unwrap();
                    assert_eq!(bits(&found), bits(&expected), "{device:?} {bytes} {order:?} {k}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ranking_is_that_of_the_cpu(
        shape in prop::sample::select(Shape::ALL.to_vec()),
        dim in 1usize..100,
        blocks in prop::collection::vec(0usize..300, 1..4),
        queries in 0usize..6,
        k in prop::sample::select(vec![0, 1, 3, 20, 200, usize::MAX]),
        seed in any::<u64>(),
    ) {
        let all = values(shape, dim, blocks.iter().sum(), seed);
        let mut rest = all.as_slice();
        let blocks = blocks.iter().map(|rows| rest.split_off(..rows * dim).unwrap()).collect();
        let rows = Rows::new(dim, blocks).unwrap();
        let queries: Vec<_> = (0..queries).map(|q| features(dim, !seed + q as u64)).collect();
        compare(&rows, &queries, &[k]);
    }
}

/// Three pieces: lists are merged, and row numbers continue.
#[test]
fn tables_beyond_one_sort() {
    for (shape, ks) in [(Shape::Anisotropic, &[1, 50, 3000][..]), (Shape::Random, &[3])] {
        let all = values(shape, 16, 20_000, 3);
        let rows = Rows::new(16, vec![&all[..16 * 9000], &all[16 * 9000..]]).unwrap();
        compare(&rows, &[features(16, 1), features(16, 2)], ks);
    }
}

#[test]
fn every_k_of_a_small_table() {
    let all = values(Shape::Duplicated, 12, 40, 5);
    let rows = Rows::new(12, vec![&all]).unwrap();
    compare(&rows, &[features(12, 1)], &(0..=41).collect::<Vec<_>>());
}

/// Equal rows, more than may come back: only their numbers order them.
#[test]
fn one_row_many_times_ties_by_number() {
    let all = values(Shape::Random, 8, 1, 0).repeat(30_000);
    let rows = Rows::new(8, vec![&all]).unwrap();
    let resident = Resident::on_candle(&Device::Cpu, &rows, u64::MAX).unwrap();
    let hits = &resident.top_k(&rows, &[features(8, 2)], 5, Order::Best).unwrap()[0];
    assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn damaged_rows_rank_last() {
    let mut all = values(Shape::Random, 8, 500, 3);
    (all[9 * 8], all[11 * 8 + 3]) = (f16::NAN, f16::INFINITY);
    let rows = Rows::new(8, vec![&all]).unwrap();
    compare(&rows, &[features(8, 4), features(8, 5)], &[1, 8, 500]);
}

#[test]
fn other_rows_and_queries_are_an_error() {
    let all = values(Shape::Random, 4, 6, 1);
    let rows = Rows::new(4, vec![&all]).unwrap();
    let resident = Resident::on_candle(&Device::Cpu, &rows, u64::MAX).unwrap();
    let error = resident.top_k(&rows, &[features(3, 0)], 1, Order::Best).unwrap_err();
    assert_eq!(error.to_string(), "a query has 3 values a row, expected 4");
    let fewer = Rows::new(4, vec![&all[4..]]).unwrap();
    assert!(resident.top_k(&fewer, &[features(4, 0)], 1, Order::Best).is_err());
    let none = Rows::new(4, vec![]).unwrap();
    compare(&none, &[features(4, 0)], &[3]);
}
