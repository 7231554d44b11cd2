//! Top-k candidates by score bounds.

use super::topk::TopK;
use super::{Hit, Order};

/// A row whose score lies between two bounds. For [`Order::Worst`] the bounds are of the negated
/// score: the greater always ranks first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) row: usize,
    pub(super) lower: f32,
    pub(super) upper: f32,
}

/// Whether an upper bound reaches a threshold. A NaN bound is unknown and reaches any.
#[inline(always)]
pub(super) fn reaches(upper: f32, threshold: f32) -> bool {
    let short = upper < threshold;
    !short
}

/// Rows that may be among the first `k`, and the threshold for others.
///
/// At least `k` rows score `threshold` or more: they have such lower bounds. A row whose upper
/// bound is below it ranks after all of these and is never among the first `k`. A row whose
/// upper bound equals it may be, because ties go by row.
#[derive(Debug)]
pub(super) struct Candidates {
    k: usize,
    order: Order,
    list: Vec<Candidate>,
    threshold: f32,
    /// List length at which it is pruned again.
    capacity: usize,
}

/// Minimum length at which the list is pruned: pruning costs a pass over it.
const MIN_CAPACITY: usize = 128;

/// Above this many times `k` (and above [`MAX_CANDIDATES`]) bounds do not separate the rows, and
/// they are rescored at once, so that memory stays bounded. A table of one row a million times
/// is the worst case.
const MAX_FACTOR: usize = 16;

/// See [`MAX_FACTOR`].
const MAX_CANDIDATES: usize = 1 << 14;

impl Candidates {
    /// Creates an empty list; `k` is at least 1.
    pub(super) fn new(k: usize, order: Order) -> Self {
        let capacity = (2 * k).max(MIN_CAPACITY);
        Candidates { k, order, list: Vec::new(), threshold: f32::NEG_INFINITY, capacity }
    }

    /// The threshold that a row's upper bound must reach.
    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Adds rows, each once. `scores` computes the scores of rows, for when bounds do not
    /// separate them.
    pub(super) fn extend(
        &mut self,
        more: impl IntoIterator<Item = Candidate>,
        scores: impl Fn(&[Candidate]) -> Vec<f32>,
    ) {
        for Candidate { row, lower, upper } in more {
            // A NaN bound is no bound.
            let lower = if lower.is_nan() { f32::NEG_INFINITY } else { lower };
            let upper = if upper.is_nan() { f32::INFINITY } else { upper };
            if upper >= self.threshold {
                self.list.push(Candidate { row, lower, upper });
            }
        }
        if self.list.len() >= self.capacity {
            self.prune();
            if self.list.len() > MAX_CANDIDATES.max(MAX_FACTOR.saturating_mul(self.k)) {
                self.rescore(scores);
            }
            self.capacity = (2 * self.list.len()).max(MIN_CAPACITY);
        }
    }

    /// Raises the threshold to the `k`-th lower bound and drops the rows below it.
    fn prune(&mut self) {
        if self.list.len() > self.k {
            let descending = |a: &Candidate, b: &Candidate| b.lower.total_cmp(&a.lower);
            let (_, kth, _) = self.list.select_nth_unstable_by(self.k - 1, descending);
            self.threshold = self.threshold.max(kth.lower);
            let threshold = self.threshold;
            self.list.retain(|candidate| candidate.upper >= threshold);
        }
    }

    /// Replaces bounds by scores, and keeps the first `k`.
    fn rescore(&mut self, scores: impl Fn(&[Candidate]) -> Vec<f32>) {
        let mut top = TopK::new(self.k, self.order);
        offer(&mut top, &self.list, scores);
        let sign = self.order.sign();
        let candidate = |Hit { row, score }: Hit| {
            // NaN ranks last: every row beats it.
            let bound = if score.is_nan() { f32::NEG_INFINITY } else { sign * score };
            Candidate { row, lower: bound, upper: bound }
        };
        self.list = top.into_hits().into_iter().map(candidate).collect();
        if let (true, Some(last)) = (self.list.len() == self.k, self.list.last()) {
            self.threshold = self.threshold.max(last.lower);
        }
    }

    /// Rescores the remaining candidates, which include the first `k`. The `k` rows with the
    /// greatest upper bounds are rescored first: their scores decide more of the others than
    /// bounds do.
    pub(super) fn into_hits(mut self, scores: impl Fn(&[Candidate]) -> Vec<f32>) -> Vec<Hit> {
        self.prune();
        let mut top = TopK::new(self.k, self.order);
        if self.list.len() > self.k {
            let descending = |a: &Candidate, b: &Candidate| b.upper.total_cmp(&a.upper);
            self.list.select_nth_unstable_by(self.k - 1, descending);
        }
        let (first, rest) = self.list.split_at(self.k.min(self.list.len()));
        offer(&mut top, first, &scores);
        let sign = self.order.sign();
        // The `k`-th score; with fewer rows all are undecided.
        let kth = top.clone().into_hits().get(self.k - 1).map_or(f32::NAN, |hit| sign * hit.score);
        let undecided: Vec<Candidate> =
            rest.iter().copied().filter(|candidate| reaches(candidate.upper, kth)).collect();
        offer(&mut top, &undecided, &scores);
        top.into_hits()
    }
}

/// Offers `candidates` with their scores.
fn offer(top: &mut TopK, candidates: &[Candidate], scores: impl Fn(&[Candidate]) -> Vec<f32>) {
    for (candidate, score) in candidates.iter().zip(scores(candidates)) {
        top.offer(candidate.row, &[score]);
    }
}
