//! Probabilities: the softmax of 100 times the cosines of all rows.

use std::sync::atomic::AtomicUsize;

use rayon::prelude::*;

use super::Rows;
use super::dot::{Kernel, Pack};
use super::scan::{QUERIES, scan_pieces, threads};
use crate::Result;
use crate::encoder::Features;

/// The factor of a cosine before the softmax: the trained logit scale of OpenAI's models, at
/// which its training was clipped (Radford et al., 2021, section 2.5).
pub const LOGIT_SCALE: f64 = 100.0;

/// The softmax of [`LOGIT_SCALE`] times the cosines of one query with all rows, as CLIP's README
/// has it for zero-shot classification: it turns a cosine into the probability of its row among
/// all of them. The probabilities of all rows add up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    /// The natural logarithm of the sum of `exp(LOGIT_SCALE * cosine)` over all rows.
    log_sum: f64,
}

impl Softmax {
    /// Returns the probability of a row with the cosine `score`.
    pub fn probability(&self, score: f32) -> f64 {
        (LOGIT_SCALE * f64::from(score) - self.log_sum).exp()
    }

    /// Whether the probabilities are numbers; false if a score is not.
    pub(crate) fn is_finite(&self) -> bool {
        self.log_sum.is_finite()
    }
}

impl Rows<'_> {
    /// Returns the softmax of each query over all rows, in the order of `queries`.
    ///
    /// The scores are those of [`top_k`](Rows::top_k), summed in f64 in the order of the rows:
    /// the same bits on any number of threads. Reads every row once per 64 queries.
    ///
    /// # Errors
    /// As of [`top_k`](Rows::top_k).
    ///
    /// ```
    /// use half::f16;
    /// use interrogate::encoder::Features;
    /// use interrogate::rank::Rows;
    ///
    /// let table = [1.0, 0.0, 0.0, 1.0].map(f16::from_f32);
    /// let rows = Rows::new(2, vec![&table])?;
    /// let softmax = rows.softmax(&[Features::new(vec![1.0, 1.0])?])?[0];
    /// assert!((softmax.probability(0.5f32.sqrt()) - 0.5).abs() < 1e-4);
    /// # Ok::<(), interrogate::Error>(())
    /// ```
    pub fn softmax(&self, queries: &[Features]) -> Result<Vec<Softmax>> {
        self.check(queries)?;
        let queries: Vec<&[f32]> = queries.iter().map(Features::as_slice).collect();
        Ok(queries.chunks(QUERIES).flat_map(|queries| pass(self, queries)).collect())
    }
}

/// One pass over the rows.
fn pass(rows: &Rows, queries: &[&[f32]]) -> Vec<Softmax> {
    let (kernel, panel, next) =
        (Kernel::best(), Pack::new(rows.dim(), queries), AtomicUsize::new(0));
    // Less the greatest possible cosine, so that no sum overflows.
    let weight = |score: &f32| (LOGIT_SCALE * (f64::from(*score) - 1.0)).exp();
    let sum_pieces = |_| {
        let mut sums: Vec<(usize, Vec<f64>)> = Vec::new();
        scan_pieces(kernel, rows, &panel, &next, |first, scores| {
            let sum = |scores: &[f32]| scores.iter().map(weight).sum();
            sums.push((first, scores.take(queries.len()).map(sum).collect()));
        });
        sums
    };
    let threads = (0..threads(rows)).into_par_iter().with_max_len(1);
    let mut pieces: Vec<_> = threads.flat_map_iter(sum_pieces).collect();
    pieces.sort_by_key(|&(first, _)| first);
    let sum = |query: usize| pieces.iter().map(|(_, sums)| sums[query]).sum::<f64>();
    (0..queries.len()).map(|query| Softmax { log_sum: sum(query).ln() + LOGIT_SCALE }).collect()
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::super::Order;
    use super::super::tests::shapes::noise;
    use super::*;

    /// Computed in f64 with Python: `exp(100 * (c - max)) / fsum(...)` for the cosines 0.25,
    /// 0.24, 0.2 and -0.3, rounded to f16.
    const GOLDEN: [f64; 4] = [
        0.727_682_618_282_617_9,
        0.267_438_177_302_976_6,
        0.004_879_204_414_405_425,
        9.41076477246934e-25,
    ];

    #[test]
    fn probabilities_equal_those_of_python() {
        let table = [0.25, 0.24, 0.2, -0.3].map(f16::from_f32);
        let query = Features::new(vec![1.0]).unwrap();
        for split in 0..4 {
            let (first, second) = table.split_at(split);
            let rows = Rows::new(1, vec![first, second]).unwrap();
            let softmax = rows.softmax(std::slice::from_ref(&query)).unwrap()[0];
            for (value, expected) in table.iter().zip(GOLDEN) {
                let found = softmax.probability(value.to_f32());
                assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
            }
        }
    }

    #[test]
    fn sum_is_that_of_all_rows_on_any_number_of_threads() {
        let (dim, count, queries) = (24, 1000, 70);
        let features = |seed: usize| {
            let values = (0..dim).map(|d| noise(seed as u64, d as u64)).collect();
            Features::new(values).unwrap()
        };
        let values: Vec<f16> = (0..count)
            .flat_map(|row| features(row + 1000).as_slice().to_vec())
            .map(f16::from_f32)
            .collect();
        let (first, second) = values.split_at(333 * dim);
        let rows = Rows::new(dim, vec![first, second]).unwrap();
        let queries: Vec<Features> = (0..queries).map(features).collect();
        let found = rows.softmax(&queries).unwrap();
        for (softmax, hits) in found.iter().zip(rows.top_k(&queries, count, Order::Best).unwrap()) {
            let sum: f64 = hits.iter().map(|hit| softmax.probability(hit.score)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| rows.softmax(&queries).unwrap()), found);
        }
    }

    #[test]
    fn nan_is_not_finite_and_another_dim_is_an_error() {
        let table = [0.5, f32::NAN].map(f16::from_f32);
        let rows = Rows::new(1, vec![&table]).unwrap();
        let query = Features::new(vec![1.0]).unwrap();
        assert!(!rows.softmax(&[query]).unwrap()[0].is_finite());
        assert!(rows.softmax(&[Features::new(vec![1.0; 2]).unwrap()]).is_err());
    }
}
