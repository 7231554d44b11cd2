//! Kernels against a direct implementation of the definition.

use super::*;
use crate::rank::codes::query::LINE;

fn value(at: usize) -> i8 {
    ((at * 7919 % 255) as i32 - 127) as i8
}

fn query(dim: usize, seed: usize) -> Query {
    let values: Vec<f32> = (0..dim).map(|d| f32::from(value(d * 31 + seed)) / 500.0).collect();
    Query::new(&values, None)
}

fn product(row: &[i8], part: &[[i8; LINE]]) -> i64 {
    row.iter().zip(part.as_flattened()).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum()
}

#[test]
fn every_kernel_computes_the_same_sums() {
    for dim in [1, 3, 4, 31, 64, 65, 127, 512, 770] {
        let rows: Vec<i8> = (0..5 * dim).map(value).collect();
        let query = query(dim, 5);
        for kernel in Kernel::available() {
            let mut sums = [0; 5];
            kernel.fine(&rows, dim, &query, &mut sums);
            for (row, sum) in rows.chunks(dim).zip(sums) {
                let (high, low) = (product(row, &query.high), product(row, &query.low));
                let expected = (high << query.bits) + low;
                assert_eq!(i64::from(sum), expected, "{} {dim}", kernel.name());
            }
        }
    }
}

/// All codes and all values at their largest.
#[test]
fn the_largest_sums_fit() {
    for dim in [512, 1280, crate::index::format::MAX_DIM] {
        for (code, value) in [(127, 1.0), (-127, 1.0), (127, -1.0)] {
            let query = Query::new(&vec![value; dim], None);
            for kernel in Kernel::available() {
                let mut sums = [0];
                kernel.fine(&vec![code; dim], dim, &query, &mut sums);
                let whole = i64::from(query.high[0][0]) << query.bits;
                let expected = (whole + i64::from(query.low[0][0])) * i64::from(code) * dim as i64;
                assert_eq!(i64::from(sums[0]), expected, "{} {dim}", kernel.name());
            }
        }
    }
}

#[test]
fn every_kernel_finds_the_same_coarse_hits() {
    for (dim, rows, count) in [(6, 13, 1), (64, 12, 16), (70, 25, 33), (515, 7, 50), (512, 9, 64)] {
        let values: Vec<i8> = (0..rows * dim).map(value).collect();
        let mean = vec![0.0; dim];
        let scales: Vec<f32> = (0..rows).map(|r| 0.001 + r as f32 * 1e-5).collect();
        let mut error_bounds = vec![0.002; rows];
        error_bounds[3] = f32::INFINITY;
        let codes = Codes::new(&mean, None, &scales, &error_bounds, &values).unwrap();
        let queries: Vec<Query> = (0..count).map(|seed| query(dim, seed)).collect();
        for sign in [1.0, -1.0] {
            let panel = Panel::new(dim, &queries, sign);
            // Halfway up the bounds, and far enough from any of them for rounding not to matter.
            let thresholds = vec![[0.05; WIDTH]; count.div_ceil(WIDTH)];
            let mut expected = Vec::new();
            for row in 0..rows {
                for group in 0..thresholds.len() {
                    let reaches = |lane: &usize| {
                        let Some(query) = queries.get(group * WIDTH + lane) else { return false };
                        let of_row = &values[row * dim..][..dim];
                        let squares: i32 = of_row.iter().map(|&c| i32::from(c).pow(2)).sum();
                        let width = panel.width(scales[row], error_bounds[row], squares);
                        let sum = product(of_row, &query.high) as f64 * query.coarse_step();
                        sum * f64::from(sign * scales[row]) + f64::from(width) >= 0.05
                    };
                    let lanes = (0..WIDTH).filter(reaches).fold(0, |all, lane| all | 1 << lane);
                    if lanes != 0 {
                        let (row, group) = (row as u32, group as u32);
                        expected.push(CoarseHit { row, group, queries: lanes });
                    }
                }
            }
            assert!(!expected.is_empty());
            for kernel in Kernel::available() {
                let mut hits = Vec::new();
                kernel.coarse(codes, &panel, &thresholds, &mut hits);
                hits.sort_by_key(|r| (r.row, r.group));
                assert_eq!(hits, expected, "{} {dim} {sign}", kernel.name());
            }
        }
    }
}
