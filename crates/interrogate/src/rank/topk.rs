//! A bounded collector of the first `k` rows. The order and the tie rule are in `order`.

use super::order::{Entry, key, score};
use super::{Hit, Order};

/// Keeps the first `k` of the scores that it is offered.
///
/// It gathers up to `2 k` entries and then drops the later half, a linear selection every `k`
/// entries: constant time per accepted entry. Entries after the `k`-th of the last selection,
/// which are almost all, are rejected at once.
#[derive(Clone, Debug)]
pub(super) struct TopK {
    k: usize,
    order: Order,
    entries: Vec<Entry>,
    /// The `k`-th entry of the last selection.
    bound: Entry,
}

impl TopK {
    /// Creates an empty collector. Allocates at the first offer.
    pub(super) fn new(k: usize, order: Order) -> Self {
        TopK { k, order, entries: Vec::new(), bound: Entry::LAST }
    }

    /// Offers the scores of rows `first..first + scores.len()`.
    pub(super) fn offer(&mut self, first: usize, scores: &[f32]) {
        for (rows, scores) in (first..).step_by(16).zip(scores.chunks(16)) {
            // No branch in the loop, so that it compiles to vector compares.
            let any_in = |any, &score| any | (key(score, self.order) <= self.bound.key);
            if scores.iter().fold(false, any_in) {
                for (row, &score) in (rows..).zip(scores) {
                    self.push(Entry { key: key(score, self.order), row });
                }
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        if self.k == 0 || entry >= self.bound {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() >= self.k.saturating_mul(2) {
            self.select();
        }
    }

    /// Truncates to the first `k`, unsorted.
    fn select(&mut self) {
        if self.entries.len() > self.k {
            let (_, &mut bound, _) = self.entries.select_nth_unstable(self.k - 1);
            self.bound = bound;
            self.entries.truncate(self.k);
        }
    }

    /// Adds the entries of `other`, which has the same `k` and order.
    pub(super) fn merge(&mut self, other: TopK) {
        other.entries.into_iter().for_each(|entry| self.push(entry));
    }

    /// Returns the first `k` of all offers, in ranking order.
    pub(super) fn into_hits(mut self) -> Vec<Hit> {
        self.select();
        self.entries.sort_unstable();
        let hit = |entry: Entry| Hit { row: entry.row, score: score(entry.key, self.order) };
        self.entries.into_iter().map(hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f32; 7] = [0.25, -0.5, 0.25, f32::NAN, 0.0, -0.0, 0.25];

    fn first(k: usize, order: Order) -> Vec<usize> {
        let mut top = TopK::new(k, order);
        top.offer(10, &SCORES);
        top.into_hits().iter().map(|hit| hit.row).collect()
    }

    #[test]
    fn ties_go_to_the_lower_row_in_both_orders() {
        assert_eq!(first(7, Order::Best), [10, 12, 16, 14, 15, 11, 13]);
        assert_eq!(first(7, Order::Worst), [11, 14, 15, 10, 12, 16, 13]);
        assert_eq!(first(2, Order::Best), [10, 12]);
        assert_eq!(first(2, Order::Worst), [11, 14]);
    }

    #[test]
    fn k_of_zero_and_beyond_the_rows() {
        assert!(first(0, Order::Best).is_empty());
        assert_eq!(first(usize::MAX, Order::Best).len(), SCORES.len());
    }

    #[test]
    fn order_of_offers_does_not_matter() {
        let scores: Vec<f32> = (0..1000u32).map(|i| (i * 7919 % 61) as f32).collect();
        let starts = || (0..1000).step_by(50);
        let offer = |mut top: TopK, at: usize| {
            top.offer(at, &scores[at..at + 50]);
            top
        };
        let one = starts().fold(TopK::new(40, Order::Best), offer);
        let two = starts().rev().fold(TopK::new(40, Order::Best), offer);
        let mut merged = (500..1000).step_by(50).fold(TopK::new(40, Order::Best), offer);
        merged.merge((0..500).step_by(50).fold(TopK::new(40, Order::Best), offer));
        let hits = one.into_hits();
        assert_eq!((hits.len(), hits[0].score), (40, 60.0));
        assert_eq!(hits, two.into_hits());
        assert_eq!(hits, merged.into_hits());
    }
}
