//! What may be among the first `k`, as far as bounds of scores tell.

use super::topk::TopK;
use super::{Hit, Order};

/// A row whose score lies between two bounds. Bounds are of the score itself where
/// the highest are asked for, and of its negative where the lowest are: a greater
/// one ranks earlier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) row: usize,
    pub(super) lower: f32,
    pub(super) upper: f32,
}

/// Whether an upper bound reaches a limit. One that is not a number is unknown, and
/// reaches any.
#[inline(always)]
pub(super) fn reaches(upper: f32, threshold: f32) -> bool {
    let short = upper < threshold;
    !short
}

/// Rows that may be among the first `k`, and what others must reach.
///
/// At least `k` rows have scores of `threshold` or more: so many of those seen had
/// such a lower bound. A row whose upper bound is less is behind all of these, and
/// never among the first `k`; one that equals it may be, for ties go by row.
#[derive(Debug)]
pub(super) struct Candidates {
    k: usize,
    order: Order,
    list: Vec<Candidate>,
    threshold: f32,
    /// How many are gathered before the list is cut again.
    capacity: usize,
}

/// The list is not cut before it has so many: a cut costs a pass over it.
const MIN_CAPACITY: usize = 128;

/// Beyond so many times `k` (and [`MAX_CANDIDATES`]) bounds do not tell the rows apart, and
/// scores are taken, so that memory stays bounded: a table of one row a million
/// times is the worst there is.
const MAX_FACTOR: usize = 16;

/// See [`MAX_FACTOR`].
const MAX_CANDIDATES: usize = 1 << 14;

impl Candidates {
    /// `k` is at least 1.
    pub(super) fn new(k: usize, order: Order) -> Self {
        let capacity = (2 * k).max(MIN_CAPACITY);
        Candidates { k, order, list: Vec::new(), threshold: f32::NEG_INFINITY, capacity }
    }

    /// What a row's upper bound must reach to get in.
    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Takes in rows, each once. `scores` gives the scores of rows, should bounds not
    /// do.
    pub(super) fn extend(
        &mut self,
        more: impl IntoIterator<Item = Candidate>,
        scores: impl Fn(&[Candidate]) -> Vec<f32>,
    ) {
        for Candidate { row, lower, upper } in more {
            // What is not a number bounds nothing.
            let lower = if lower.is_nan() { f32::NEG_INFINITY } else { lower };
            let upper = if upper.is_nan() { f32::INFINITY } else { upper };
            if upper >= self.threshold {
                self.list.push(Candidate { row, lower, upper });
            }
        }
        if self.list.len() >= self.capacity {
            self.cut();
            if self.list.len() > MAX_CANDIDATES.max(MAX_FACTOR.saturating_mul(self.k)) {
                self.rescore(scores);
            }
            self.capacity = (2 * self.list.len()).max(MIN_CAPACITY);
        }
    }

    /// Raises the threshold to the `k`-th lower bound and leaves out what is behind.
    fn cut(&mut self) {
        if self.list.len() > self.k {
            let descending = |a: &Candidate, b: &Candidate| b.lower.total_cmp(&a.lower);
            let (_, kth, _) = self.list.select_nth_unstable_by(self.k - 1, descending);
            self.threshold = self.threshold.max(kth.lower);
            let threshold = self.threshold;
            self.list.retain(|candidate| candidate.upper >= threshold);
        }
    }

    /// Takes the scores of all that is left, and keeps the first `k`.
    fn rescore(&mut self, scores: impl Fn(&[Candidate]) -> Vec<f32>) {
        let mut top = TopK::new(self.k, self.order);
        offer(&mut top, &self.list, scores);
        let sign = self.order.sign();
        let candidate = |Hit { row, score }: Hit| {
            // One that is not a number ranks behind all: nothing need beat it.
            let bound = if score.is_nan() { f32::NEG_INFINITY } else { sign * score };
            Candidate { row, lower: bound, upper: bound }
        };
        self.list = top.into_hits().into_iter().map(candidate).collect();
        if let (true, Some(last)) = (self.list.len() == self.k, self.list.last()) {
            self.threshold = self.threshold.max(last.lower);
        }
    }

    /// The rows that are left when all have been seen: the first `k` are among
    /// them. In two steps: first those `k` with the greatest upper bounds, whose
    /// scores, by `scores`, leave fewer of the others in doubt than bounds do.
    pub(super) fn into_hits(mut self, scores: impl Fn(&[Candidate]) -> Vec<f32>) -> Vec<Hit> {
        self.cut();
        let mut top = TopK::new(self.k, self.order);
        if self.list.len() > self.k {
            let descending = |a: &Candidate, b: &Candidate| b.upper.total_cmp(&a.upper);
            self.list.select_nth_unstable_by(self.k - 1, descending);
        }
        let (first, rest) = self.list.split_at(self.k.min(self.list.len()));
        offer(&mut top, first, &scores);
        let sign = self.order.sign();
        // Of `k` rows the last one's score; without so many nothing is left out.
        let kth = top.clone().into_hits().get(self.k - 1).map_or(f32::NAN, |hit| sign * hit.score);
        let undecided: Vec<Candidate> =
            rest.iter().copied().filter(|candidate| reaches(candidate.upper, kth)).collect();
        offer(&mut top, &undecided, &scores);
        top.into_hits()
    }
}

/// Offers `candidates` by their scores.
fn offer(top: &mut TopK, candidates: &[Candidate], scores: impl Fn(&[Candidate]) -> Vec<f32>) {
    for (candidate, score) in candidates.iter().zip(scores(candidates)) {
        top.offer(candidate.row, &[score]);
    }
}
