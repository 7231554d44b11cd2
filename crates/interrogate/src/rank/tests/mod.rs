//! Rankings against a full sort.

mod coarse;
pub(super) mod shapes;

use half::f16;
use proptest::prelude::*;

use super::*;
use crate::encoder::Features;
use shapes::{Shape, noise, row};

/// The first `k` of a full sort, by scores of `Rows` ranking each row alone: this also tests
/// that a score does not depend on the batch.
fn sorted(rows: &Rows, query: &Features, k: usize, order: Order) -> Vec<Hit> {
    let alone = |row: usize| {
        let one = Rows::new(rows.dim(), vec![rows.row(row).unwrap()]).unwrap();
        let score = one.top_k(std::slice::from_ref(query), 1, order).unwrap()[0][0].score;
        Hit { row, score }
    };
    let mut hits: Vec<Hit> = (0..rows.len()).map(alone).collect();
    hits.sort_by(|a, b| match order {
        Order::Best => b.score.total_cmp(&a.score), // stable: ties stay by row
        Order::Worst => a.score.total_cmp(&b.score),
    });
    hits.truncate(k);
    hits
}

fn features(dim: usize, seed: u64) -> Features {
    Features::new((0..dim).map(|d| noise(seed, d as u64)).collect()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ranking_is_the_start_of_a_full_sort(
        shape in prop::sample::select(vec![Shape::Random, Shape::Duplicated, Shape::Anisotropic]),
        dim in 4usize..40,
        blocks in prop::collection::vec(0usize..180, 0..4),
        queries in 0usize..7,
        k in prop::sample::select(vec![0, 1, 2, 3, 10, 100, 499, 500, usize::MAX]),
        order in prop::sample::select(vec![Order::Best, Order::Worst]),
        seed in any::<u64>(),
    ) {
        let n: usize = blocks.iter().sum();
        let values: Vec<f16> =
            (0..n).flat_map(|r| row(shape, dim, seed, r)).map(f16::from_f32).collect();
        let mut rest = values.as_slice();
        let blocks = blocks.iter().map(|rows| rest.split_off(..rows * dim).unwrap()).collect();
        let rows = Rows::new(dim, blocks).unwrap();
        let queries: Vec<Features> = (0..queries).map(|q| features(dim, !seed + q as u64)).collect();
        let found = rows.top_k(&queries, k, order).unwrap();
        prop_assert_eq!(found.len(), queries.len());
        for (query, found) in queries.iter().zip(found) {
            prop_assert_eq!(found, sorted(&rows, query, k, order));
        }
    }
}

#[test]
fn score_is_the_cosine() {
    let values: Vec<f16> =
        (0..50).flat_map(|r| row(Shape::Random, 100, 1, r)).map(f16::from_f32).collect();
    let rows = Rows::new(100, vec![&values]).unwrap();
    let query = features(100, 2);
    for hit in &rows.top_k(std::slice::from_ref(&query), 50, Order::Best).unwrap()[0] {
        let pairs = rows.row(hit.row).unwrap().iter().zip(query.as_slice());
        let exact: f64 = pairs.map(|(&row, &query)| f64::from(row) * f64::from(query)).sum();
        assert!((f64::from(hit.score) - exact).abs() < 1e-6, "{hit:?} is not {exact}");
    }
}

#[test]
fn queries_beyond_one_pass_keep_their_order() {
    let values: Vec<f16> =
        (0..300).flat_map(|r| row(Shape::Random, 8, 3, r)).map(f16::from_f32).collect();
    let rows = Rows::new(8, vec![&values]).unwrap();
    let queries: Vec<Features> = (0..150).map(|q| features(8, q)).collect();
    let all = rows.top_k(&queries, 3, Order::Best).unwrap();
    for (query, hits) in queries.iter().zip(&all) {
        assert_eq!(&rows.top_k(std::slice::from_ref(query), 3, Order::Best).unwrap()[0], hits);
    }
    assert_eq!(all.len(), 150);
}

#[test]
fn number_of_threads_does_not_change_results() {
    let values: Vec<f16> =
        (0..2000).flat_map(|r| row(Shape::Duplicated, 16, 4, r)).map(f16::from_f32).collect();
    let rows = Rows::new(16, vec![&values]).unwrap();
    let queries = [features(16, 5), features(16, 6)];
    let ranked = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| rows.top_k(&queries, 700, Order::Worst).unwrap())
    };
    assert_eq!(ranked(1), ranked(5));
}

#[test]
fn nan_row_ranks_last_in_both_orders() {
    let values = [[1.0, 0.0], [f32::NAN, 0.0], [-1.0, 0.0]].map(|row| row.map(f16::from_f32));
    let rows = Rows::new(2, vec![values.as_flattened()]).unwrap();
    let query = [Features::new(vec![1.0, 0.0]).unwrap()];
    for (order, first) in [(Order::Best, 0), (Order::Worst, 2)] {
        let hits = &rows.top_k(&query, 3, order).unwrap()[0];
        assert_eq!((hits[0].row, hits[2].row), (first, 1));
        assert!(hits[2].score.is_nan());
    }
}

#[test]
fn empty_queries_rows_or_k_give_empty_results() {
    let rows = Rows::new(4, vec![]).unwrap();
    assert!(rows.top_k(&[], 3, Order::Best).unwrap().is_empty());
    assert_eq!(rows.top_k(&[features(4, 0)], 3, Order::Best).unwrap(), [[]]);
    assert_eq!(rows.top_k(&[features(4, 0)], 0, Order::Worst).unwrap(), [[]]);
}
