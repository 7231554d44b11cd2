//! The boundary between the fused kernels and candle's operations, with a stub for the
//! kernels on the host: its lists are computed by a plain sort. `tests/gpu` tests the kernels
//! themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use half::slice::HalfFloatSliceExt;

use super::super::keys::{bound, decode, score_of};
use super::super::rescore::RestBound;
use super::*;
use crate::rank::dot::{Kernel, Pack};

/// A stub for the kernels that counts its queries.
#[derive(Clone, Debug, Default)]
struct Sorted(Arc<AtomicUsize>);

/// The key of a score, as in `kernels.cu`.
fn key(score: f32, row: usize, near: bool) -> u64 {
    let bits = (score + 0.0).to_bits();
    let upper = match (score.is_nan(), near) {
        (true, true) => u32::MAX,
        (true, false) => 0,
        _ if bits >> 31 == 1 => !bits,
        _ => bits | 1 << 31,
    };
    u64::from(upper) << 32 | u64::from(u32::MAX - row as u32)
}

/// The first of `keys`, greatest first, padded with zeros.
fn list(mut keys: Vec<u64>) -> Vec<u64> {
    keys.sort_unstable_by(|a, b| b.cmp(a));
    keys.resize(LIST, 0);
    keys
}

/// The true score of a row.
fn score(rows: &Rows<'_>, query: &[f32], row: usize) -> f32 {
    let pack = Pack::new(rows.dim(), &[query]);
    let mut score = [f32::NAN];
    let group = pack.groups().next().unwrap();
    Kernel::best().single(rows.row(row).unwrap(), rows.dim(), (group, 0), 0, &mut score);
    score[0]
}

impl Kernels for Sorted {
    fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        tensors: &Tensors,
    ) -> candle_core::Result<Vec<CoarseTop>> {
        self.0.fetch_add(queries.len(), Ordering::Relaxed);
        let length = |row| rows.row(row).unwrap().iter().map(|v| v.to_f64().powi(2)).sum::<f64>();
        let longest = (0..rows.len()).map(length).filter(|v| !v.is_nan()).fold(0.0, f64::max);
        let one = |query: &Vec<f32>| {
            let exact = |row| key(score(rows, query, row), row, false);
            if queries.len() <= FEW {
                return decode(&list((0..rows.len()).map(exact).collect()), None, None);
            }
            // Like the tensor cores: the query in f16, sums in another order.
            let mut halves = vec![f16::ZERO; query.len()];
            halves.convert_from_f32_slice(query);
            let near = |row| {
                let values = halves.iter().zip(rows.row(row).unwrap()).rev();
                let sum = values.fold(0.0, |sum, (q, x)| sum + q.to_f32() * x.to_f32());
                key(sum, row, true)
            };
            let near = list((0..rows.len()).map(near).collect());
            let error = (bound(query) * longest.sqrt()) as f32;
            let rest = RestBound { max_score: score_of(near[LIST - 1]), error };
            let listed = near.iter().filter(|&&key| key != 0);
            let exact = listed.map(|&key| exact((u32::MAX - key as u32) as usize)).collect();
            let exact = (tensors.resident() == rows.len()).then(|| list(exact));
            decode(&near, exact.as_deref(), Some(rest))
        };
        Ok(queries.iter().map(one).collect())
    }
}

#[test]
fn lists_serve_k_up_to_15() {
    for k in 0..100 {
        assert_eq!(requested(k) <= LIST, k <= 15, "{k}");
    }
    assert_eq!(requested(usize::MAX), usize::MAX);
}

/// `k` on both sides of a list's length, few queries (true scores) and many (approximate ones),
/// resident and streamed: the CPU's ranking, bit for bit.
#[test]
fn results_are_equal_on_both_sides_of_the_list_length() {
    for (shape, count) in [(Shape::Random, 3), (Shape::Anisotropic, 11), (Shape::Duplicated, 9)] {
        let mut all = values(shape, 24, 1200, 7);
        all[24 * 100 + 5] = f16::NAN;
        let rows = Rows::new(24, vec![&all]).unwrap();
        let queries: Vec<_> = (0..count).map(|q| features(24, q)).collect();
        for bytes in [u64::MAX, 0] {
            let mut resident = Resident::on_candle(&Device::Cpu, &rows, bytes).unwrap();
            let kernels = Sorted::default();
            resident.fused = Some(Box::new(kernels.clone()));
            for order in [Order::Best, Order::Worst] {
                for k in [1, 13, 14, 15, 16, 17, 40] {
                    kernels.0.store(0, Ordering::Relaxed);
                    let found = resident.top_k(&rows, &queries, k, order).unwrap();
                    let expected = rows.top_k(&queries, k, order).unwrap();
                    assert_eq!(bits(&found), bits(&expected), "{shape:?} {bytes} {order:?} {k}");
                    let served = kernels.0.load(Ordering::Relaxed);
                    assert_eq!(served, if k <= 15 { queries.len() } else { 0 }, "{k}");
                }
            }
        }
    }
}

/// The kernels rank a table that fits a list, whatever `k` is.
#[test]
fn table_of_one_list_is_ranked_by_the_kernels() {
    let mut all = values(Shape::Duplicated, 8, LIST, 2);
    all[8 * 3..8 * 5].fill(f16::ZERO); // scores of zero, which has two signs
    let rows = Rows::new(8, vec![&all]).unwrap();
    for count in [1, 9] {
        let queries: Vec<_> = (0..count).map(|q| features(8, q)).collect();
        let mut resident = Resident::on_candle(&Device::Cpu, &rows, u64::MAX).unwrap();
        let kernels = Sorted::default();
        resident.fused = Some(Box::new(kernels.clone()));
        for order in [Order::Best, Order::Worst] {
            for k in [1, 20, LIST, 100] {
                let found = resident.top_k(&rows, &queries, k, order).unwrap();
                assert_eq!(bits(&found), bits(&rows.top_k(&queries, k, order).unwrap()), "{k}");
            }
        }
        assert_eq!(kernels.0.load(Ordering::Relaxed), 2 * 4 * queries.len());
    }
}
