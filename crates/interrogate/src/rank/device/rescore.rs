//! Stage two: true scores, and whether they settle the ranking.

use super::super::dot::{self, Pack};
use super::super::topk::TopK;
use super::super::{Hit, Order, Rows};
use crate::encoder::Features;

/// What came back for one query: rows, best first by the device's scores.
#[derive(Clone, Debug)]
pub(super) struct CoarseTop {
    pub(super) rows: Vec<u32>,
    /// Their true scores, as if the highest were asked for, where the device took
    /// them.
    pub(super) scores: Option<Vec<f32>>,
    /// What the others may be; `None` where the device ranks by true scores itself.
    pub(super) rest: Option<RestBound>,
}

/// Rows that did not come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestBound {
    /// The greatest that the device's score of one can be, as if the highest were
    /// asked for.
    pub(super) max_score: f32,
    /// How far its scores may be from the true ones.
    pub(super) error: f32,
}

/// The first `k` of `rows`, by the true scores of those found; `None` where a row
/// that did not come back might be among them.
pub(super) fn hits(
    rows: &Rows<'_>,
    query: &Features,
    k: usize,
    order: Order,
    coarse: &CoarseTop,
) -> Option<Vec<Hit>> {
    let mut top = TopK::new(k, order);
    match &coarse.scores {
        Some(scores) => {
            // A zero has no sign in `dot`: its sums begin at the positive one.
            let signed = scores.iter().map(|score| order.sign() * score + 0.0);
            coarse
                .rows
                .iter()
                .zip(signed)
                .for_each(|(&row, score)| top.offer(row as usize, &[score]));
        }
        None => {
            let (kernel, dim) = (dot::Kernel::best(), rows.dim());
            let pack = Pack::new(dim, &[query.as_slice()]);
            let group = pack.groups().next().unwrap_or_default();
            for &row in &coarse.rows {
                let mut score = [f32::NAN];
                kernel.single(rows.row(row as usize)?, dim, (group, 0), 0, &mut score);
                top.offer(row as usize, &score);
            }
        }
    }
    let hits = top.into_hits();
    match coarse.rest {
        Some(RestBound { max_score, error }) if coarse.rows.len() < rows.len() => {
            let kth = hits.get(k.checked_sub(1)?)?;
            // Rounded up, so that equality is never taken for less.
            let bound = (f64::from(max_score) + f64::from(error)) as f32;
            // A score or a bound that is not a number settles nothing.
            (order.sign() * kth.score > bound.next_up()).then_some(hits)
        }
        _ => Some(hits),
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// Rows of one value each, scored by the query (1).
    fn settled(found: &[u32], last: f32, error: f32, k: usize, order: Order) -> Option<Vec<usize>> {
        let values = [0.5, 0.25, 0.75, 0.5, -1.0].map(f16::from_f32);
        let rows = Rows::new(1, vec![&values]).unwrap();
        let query = Features::new(vec![1.0]).unwrap();
        let rest = Some(RestBound { max_score: last, error });
        let coarse = CoarseTop { rows: found.to_vec(), scores: None, rest };
        let hits = hits(&rows, &query, k, order, &coarse)?;
        Some(hits.into_iter().map(|hit| hit.row).collect())
    }

    #[test]
    fn a_clear_lead_settles_it() {
        assert_eq!(settled(&[2, 3, 0, 1], 0.25, 0.01, 2, Order::Best), Some(vec![2, 0]));
        assert_eq!(settled(&[4, 1], -0.25, 0.01, 1, Order::Worst), Some(vec![4]));
    }

    #[test]
    fn a_tie_that_might_be_does_not() {
        // A third row of 0.5 may have stayed out, with a lower number.
        assert_eq!(settled(&[2, 3], 0.5, 0.0, 2, Order::Best), None);
        assert_eq!(settled(&[2, 3, 0], 0.495, 0.01, 2, Order::Best), None);
        assert_eq!(settled(&[2, 3, 0], f32::NAN, 0.01, 2, Order::Best), None);
        assert_eq!(settled(&[2, 3, 0], 0.25, f32::INFINITY, 2, Order::Best), None);
    }

    #[test]
    fn all_rows_leave_no_doubt() {
        let all = settled(&[4, 3, 2, 1, 0], 9.0, 9.0, 5, Order::Best);
        assert_eq!(all, Some(vec![2, 0, 3, 1, 4]));
    }

    #[test]
    fn scores_that_the_device_took_are_taken_as_they_are() {
        let values = [0.5, 0.25, 0.75].map(f16::from_f32);
        let rows = Rows::new(1, vec![&values]).unwrap();
        let query = Features::new(vec![1.0]).unwrap();
        let ranked = |order, signed: [f32; 2], rest| {
            let coarse = CoarseTop { rows: vec![2, 0], scores: Some(signed.to_vec()), rest };
            hits(&rows, &query, 1, order, &coarse)
        };
        let best = Hit { row: 2, score: 0.75 };
        assert_eq!(ranked(Order::Best, [0.75, 0.5], None), Some(vec![best]));
        assert_eq!(
            ranked(Order::Worst, [-0.75, -0.5], None),
            Some(vec![Hit { row: 0, score: 0.5 }])
        );
        let near = Some(RestBound { max_score: 0.7, error: 0.1 });
        assert_eq!(ranked(Order::Best, [0.75, 0.5], near), None);
    }

    #[test]
    fn fewer_than_k_are_no_answer() {
        assert_eq!(settled(&[2], -1.0, 0.0, 2, Order::Best), None);
    }
}
