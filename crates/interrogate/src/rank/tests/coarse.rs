//! Rankings by codes against rankings by full scan.

use half::f16;
use proptest::prelude::*;

use super::super::codes::kernel::Kernel;
use super::super::codes::{Codes, Coding};
use super::super::{coarse, scan};
use super::shapes::{Shape, row};
use super::*;

/// The owned data of a block.
struct Table {
    rows: Vec<f16>,
    mean: Vec<f32>,
    spread: Option<Vec<f32>>,
    scales: Vec<f32>,
    error_bounds: Vec<f32>,
    codes: Vec<i8>,
}

impl Table {
    fn new(dim: usize, rows: Vec<f16>) -> Self {
        let coding = Coding::of(dim, &rows);
        let all = coding.codes();
        let (mean, codes) = (all.mean().to_vec(), all.codes().to_vec());
        let spread = all.spread().map(<[f32]>::to_vec);
        let (scales, error_bounds) = (all.scales().to_vec(), all.error_bounds().to_vec());
        Table { rows, mean, spread, scales, error_bounds, codes }
    }

    fn block(&self) -> Block<'_> {
        let Table { rows, mean, spread, scales, error_bounds, codes } = self;
        let codes = Codes::new(mean, spread.as_deref(), scales, error_bounds, codes).unwrap();
        Block { rows, codes: Some(codes) }
    }
}

fn tables(shape: Shape, dim: usize, blocks: &[usize], seed: u64) -> Vec<Table> {
    let mut first = 0;
    let mut table = |&rows: &usize| {
        let values = (first..first + rows).flat_map(|r| row(shape, dim, seed, r));
        first += rows;
        Table::new(dim, values.map(f16::from_f32).collect())
    };
    blocks.iter().map(&mut table).collect()
}

fn rows(dim: usize, tables: &[Table]) -> Rows<'_> {
    Rows::with_codes(dim, tables.iter().map(Table::block).collect()).unwrap()
}

/// Every kernel, in both orders, against the full scan.
fn compare(rows: &Rows, queries: &[Features], ks: &[usize]) {
    let queries: Vec<&[f32]> = queries.iter().map(Features::as_slice).collect();
    for order in [Order::Best, Order::Worst] {
        for &k in ks {
            let expected = scan::top_k(rows, &queries, k, order);
            for kernel in Kernel::available() {
                let found = coarse::top_k(kernel, rows, &queries, k, order);
                for (found, expected) in found.iter().zip(&expected) {
                    let bits = |hits: &[Hit]| -> Vec<_> {
                        hits.iter().map(|hit| (hit.row, hit.score.to_bits())).collect()
                    };
                    assert_eq!(bits(found), bits(expected), "{} {order:?} {k}", kernel.name());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ranking_by_codes_is_the_full_scan(
        shape in prop::sample::select(Shape::ALL.to_vec()),
        dim in 1usize..200,
        blocks in prop::collection::vec(0usize..300, 1..4),
        // Query by query, as a panel, and as more groups than a kernel takes at once.
        queries in prop::sample::select(vec![1usize, 3, 5, 16, 17, 40, 66]),
        seed in any::<u64>(),
    ) {
        let tables = tables(shape, dim, &blocks, seed);
        let rows = rows(dim, &tables);
        prop_assume!(!rows.is_empty());
        // One query is a row of the table.
        let own = rows.row(rows.len() / 2).unwrap().iter().map(|v| v.to_f32()).collect();
        let mut queries: Vec<Features> =
            (1..queries).map(|q| features(dim, !seed + q as u64)).collect();
        // A row of one value may round to zero, which is no valid query.
        queries.extend(Features::new(own).ok());
        prop_assume!(!queries.is_empty());
        let n = rows.len();
        compare(&rows, &queries, &[1, 3.min(n), n.div_ceil(3), n]);
    }
}

#[test]
fn every_k_of_a_small_table() {
    for shape in Shape::ALL {
        let tables = tables(shape, 24, &[30, 17], 7);
        let rows = rows(24, &tables);
        let ks: Vec<usize> = (1..=rows.len()).collect();
        compare(&rows, &[features(24, 1)], &ks);
        compare(&rows, &(0..6).map(|q| features(24, q)).collect::<Vec<_>>(), &ks);
    }
}

/// So many equal rows that the list is rescored during the scan.
#[test]
fn one_row_many_times_ties_by_number() {
    let values = row(Shape::Random, 8, 1, 0).into_iter().map(f16::from_f32);
    let table = Table::new(8, values.collect::<Vec<_>>().repeat(40_000));
    let rows = rows(8, std::slice::from_ref(&table));
    let query = [features(8, 2)];
    let hits = &rows.top_k(&query, 5, Order::Best).unwrap()[0];
    assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    compare(&rows, &query, &[5, 200]);
}

#[test]
fn damaged_rows_and_codes_do_not_change_the_ranking() {
    let mut values: Vec<f16> =
        (0..64).flat_map(|r| row(Shape::Random, 8, 3, r)).map(f16::from_f32).collect();
    values[9 * 8] = f16::NAN;
    values[11 * 8] = f16::INFINITY;
    let mut table = Table::new(8, values);
    // The mean is NaN too, so that every row is unknown.
    assert!(table.error_bounds.iter().all(|error_bounds| error_bounds.is_infinite()));
    compare(&rows(8, std::slice::from_ref(&table)), &[features(8, 4)], &[1, 8, 64]);
    let mut values = table.rows.clone();
    values[9 * 8] = f16::ONE;
    values[11 * 8] = f16::ONE;
    table = Table::new(8, values);
    table.rows[9 * 8] = f16::NAN;
    (table.scales[9], table.error_bounds[11]) = (f32::NAN, f32::INFINITY);
    compare(&rows(8, std::slice::from_ref(&table)), &[features(8, 4)], &[1, 8, 64]);
}

#[test]
fn rows_of_the_greatest_dim() {
    let dim = crate::index::format::MAX_DIM;
    let tables = tables(Shape::Adversarial, dim, &[9], 5);
    compare(&rows(dim, &tables), &[features(dim, 1)], &[1, 2]);
}

#[test]
fn codes_of_other_rows_are_an_error() {
    let tables = tables(Shape::Random, 4, &[3, 2], 1);
    let block = Block { rows: &tables[0].rows, codes: tables[1].block().codes };
    let error = Rows::with_codes(4, vec![block]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "codes of 3 rows of 4 values: found 8 codes, 2 scales, 2 error bounds, a mean of 4 and a spread of 4"
    );
    assert!(error.hint().unwrap().contains("build the index again"));
    let short = Codes::new(&[0.0; 4], None, &[1.0; 2], &[1.0; 2], &[0; 7]).unwrap_err().to_string();
    assert!(short.starts_with("codes of 2 rows of 4 values: found 7 codes"), "{short}");
}
