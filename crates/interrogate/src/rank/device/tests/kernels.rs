//! The boundary between the kernels and candle's operations, with a stub for the kernels on the
//! host: its results are computed by a plain sort. `tests/gpu` tests the kernels themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::keys::{DECIDED, NO_BOUND, candidates, ranking};
use super::super::plan::{Limits, Plan};
use super::*;
use crate::rank::dot::{Kernel, Pack};

/// A stub for the kernels that counts its queries.
#[derive(Clone, Debug)]
struct Sorted {
    queries: Arc<AtomicUsize>,
    /// The most rows that are rescored.
    most: usize,
}

impl Sorted {
    fn new(most: usize) -> Self {
        Sorted { queries: Arc::default(), most }
    }

    /// The number of queries since the last call.
    fn served(&self) -> usize {
        self.queries.swap(0, Ordering::Relaxed)
    }
}

/// Maps a float to an integer that orders as it does.
fn ordered(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The key of a true score, as in `keys.cu`.
fn true_key(score: f32, row: usize) -> u64 {
    let upper = if score.is_nan() { 0 } else { ordered(score) };
    u64::from(upper) << 32 | u64::from(u32::MAX - row as u32)
}

/// The key of a coarse score, as in `keys.cu`.
fn coarse_key(score: f16) -> u32 {
    let bits = u32::from((score + f16::ZERO).to_bits());
    match score.is_nan() {
        true => 0xffff,
        false if bits >> 15 == 1 => 0xffff ^ bits,
        false => 0x8000 | bits,
    }
}

/// The value of a coarse key; infinite if it has none.
fn coarse_value(key: u32) -> f32 {
    let bits = if key >> 15 == 1 { key & 0x7fff } else { 0xffff ^ key };
    if key > 0xfc00 { f32::INFINITY } else { f16::from_bits(bits as u16).to_f32() }
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
    fn takes(&self, requested: usize) -> bool {
        requested <= self.most
    }

    fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[&Features],
        search: Search,
        tensors: &Tensors,
    ) -> candle_core::Result<Vec<Found>> {
        self.queries.fetch_add(queries.len(), Ordering::Relaxed);
        let Search { k, requested, order } = search;
        assert!(k <= requested && requested <= rows.len());
        let length = |row| rows.row(row).unwrap().iter().map(|v| v.to_f64().powi(2)).sum::<f64>();
        let longest = (0..rows.len()).map(length).filter(|v| !v.is_nan()).fold(0.0, f64::max);
        let limits = Limits { processors: 132, shared: 232_448 };
        let plan = Plan::new(queries.len(), rows.len(), rows.dim(), requested, limits).unwrap();
        let one = |query: &&Features| {
            let query: Vec<f32> = query.as_slice().iter().map(|v| order.sign() * v).collect();
            // Like the tensor cores: the query in f16, sums in another order.
            let halves: Vec<f16> = query.iter().map(|&value| f16::from_f32(value)).collect();
            let coarse = |row| {
                let values = halves.iter().zip(rows.row(row).unwrap()).rev();
                let sum = values.fold(0.0, |sum, (q, x)| sum + q.to_f32() * x.to_f32());
                (coarse_key(f16::from_f32(sum)), row)
            };
            let mut listed: Vec<(u32, usize)> = (0..rows.len()).map(coarse).collect();
            listed.sort_by_key(|&(key, row)| (u32::MAX - key, row));
            let mut threshold = 0;
            if listed.len() > requested {
                let nth = listed[requested - 1].0;
                let reached = listed.iter().filter(|(key, _)| *key >= nth).count();
                threshold = if reached <= plan.width { nth - 1 } else { nth };
                listed.retain(|&(key, _)| key > threshold);
            }
            let lost = query.iter().zip(&halves).map(|(v, h)| f64::from(v - h.to_f32()).powi(2));
            let squares: f64 = query.iter().map(|&v| f64::from(v).powi(2)).sum();
            let summing = (rows.dim() + 8) as f64 * 2f64.powi(-21) * squares.sqrt();
            let slack = (lost.sum::<f64>().sqrt() + summing) * longest.sqrt();
            let bound = ((f64::from(coarse_value(threshold + 1)) + slack) as f32).next_up();
            if tensors.resident() < rows.len() {
                let bits = if threshold == 0 { NO_BOUND } else { bound.to_bits() };
                let mut record = vec![u64::from(bits) << 32 | listed.len() as u64];
                record.extend(listed.iter().map(|&(key, row)| u64::from(key) << 32 | row as u64));
                record.resize(1 + plan.width, 0);
                return candidates(&record);
            }
            let exact = |&(_, row): &(u32, usize)| true_key(score(rows, &query, row), row);
            let mut keys: Vec<u64> = listed.iter().map(exact).collect();
            keys.sort_unstable_by(|a, b| b.cmp(a));
            keys.resize(k.max(keys.len()), 0);
            let above = (keys[k - 1] >> 32) as u32 > ordered(bound) && !bound.is_nan();
            let header = if threshold == 0 || above { DECIDED } else { 0 };
            let record: Vec<u64> = std::iter::once(header).chain(keys).take(1 + k).collect();
            ranking(&record, order)
        };
        Ok(queries.iter().map(one).collect())
    }
}

/// Every `k`, few queries and many, resident and streamed: the CPU's ranking, bit for bit.
#[test]
fn results_of_the_kernels_are_those_of_the_cpu() {
    for (shape, count) in [(Shape::Random, 3), (Shape::Anisotropic, 11), (Shape::Duplicated, 9)] {
        let mut all = values(shape, 24, 1200, 7);
        all[24 * 100 + 5] = f16::NAN;
        let rows = Rows::new(24, vec![&all]).unwrap();
        let queries: Vec<_> = (0..count).map(|q| features(24, q)).collect();
        for bytes in [u64::MAX, 24 * 2 * 500, 0] {
            let mut resident = Resident::on_candle(&Device::Cpu, &rows, bytes).unwrap();
            let kernels = Sorted::new(MAX_REQUESTED);
            resident.fused = Some(Box::new(kernels.clone()));
            for order in [Order::Best, Order::Worst] {
                for k in [1, 3, 15, 16, 40, 300, 1199, 1200, usize::MAX] {
                    let found = resident.top_k(&rows, &queries, k, order).unwrap();
                    let expected = rows.top_k(&queries, k, order).unwrap();
                    assert_eq!(bits(&found), bits(&expected), "{shape:?} {bytes} {order:?} {k}");
                    assert!(kernels.served() >= queries.len());
                }
            }
        }
    }
}

/// The device decides rankings of plain rows at the first try.
#[test]
fn plain_rows_are_decided_at_once() {
    let all = values(Shape::Random, 64, 3000, 7);
    let rows = Rows::new(64, vec![&all]).unwrap();
    let queries: Vec<_> = (0..20).map(|q| features(64, q)).collect();
    let mut resident = Resident::on_candle(&Device::Cpu, &rows, u64::MAX).unwrap();
    let kernels = Sorted::new(MAX_REQUESTED);
    resident.fused = Some(Box::new(kernels.clone()));
    resident.top_k(&rows, &queries, 3, Order::Best).unwrap();
    assert_eq!(kernels.served(), queries.len());
}

/// More rows than the kernels rescore are left to candle's operations.
#[test]
fn rows_beyond_the_kernels_are_left_to_candle() {
    let all = values(Shape::Random, 24, 500, 7);
    let rows = Rows::new(24, vec![&all]).unwrap();
    let queries = [features(24, 1), features(24, 2)];
    let mut resident = Resident::on_candle(&Device::Cpu, &rows, u64::MAX).unwrap();
    let kernels = Sorted::new(32);
    resident.fused = Some(Box::new(kernels.clone()));
    for k in [1, 14, 15, 100] {
        let found = resident.top_k(&rows, &queries, k, Order::Best).unwrap();
        assert_eq!(bits(&found), bits(&rows.top_k(&queries, k, Order::Best).unwrap()), "{k}");
        assert_eq!(kernels.served() > 0, requested(k) <= 32, "{k}");
    }
}

/// One row many times: no bound separates its copies, so that the CPU ranks them.
#[test]
fn ties_that_no_list_holds_are_ranked_on_the_cpu() {
    let mut all = values(Shape::Random, 8, 1, 2).repeat(600);
    all[8 * 3..8 * 5].fill(f16::ZERO); // scores of zero, which has two signs
    let rows = Rows::new(8, vec![&all]).unwrap();
    let queries: Vec<_> = (0..9).map(|q| features(8, q)).collect();
    for bytes in [u64::MAX, 0] {
        let mut resident = Resident::on_candle(&Device::Cpu, &rows, bytes).unwrap();
        resident.fused = Some(Box::new(Sorted::new(MAX_REQUESTED)));
        for order in [Order::Best, Order::Worst] {
            for k in [1, 5, 600] {
                let found = resident.top_k(&rows, &queries, k, order).unwrap();
                assert_eq!(bits(&found), bits(&rows.top_k(&queries, k, order).unwrap()), "{k}");
            }
        }
    }
}

#[test]
fn requested_rows_do_not_overflow() {
    assert_eq!((requested(3), requested(2048)), (19, 2320));
    assert_eq!(requested(usize::MAX), usize::MAX);
}
