//! Rescoring: true scores, and whether they decide the ranking.

use super::super::dot::{self, Pack};
use super::super::topk::TopK;
use super::super::{Hit, Order, Rows};
use crate::encoder::Features;

/// The result of the coarse scan for one query: rows, best first by the device's scores.
#[derive(Clone, Debug)]
pub(super) struct CoarseTop {
    pub(super) rows: Vec<u32>,
    /// A bound for the other rows; `None` if there are none.
    pub(super) rest: Option<RestBound>,
}

/// A bound for the scores of all rows that the coarse scan did not return.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestBound {
    /// The greatest score of one on the device; of negated scores for [`Order::Worst`].
    pub(super) max_score: f32,
    /// The error bound of the device's scores.
    pub(super) error: f32,
}

/// Returns the first `k` of `rows` by true scores; `None` if a row that the coarse scan did not
/// return might be among them.
pub(super) fn hits(
    rows: &Rows<'_>,
    query: &Features,
    k: usize,
    order: Order,
    coarse: &CoarseTop,
) -> Option<Vec<Hit>> {
    let mut top = TopK::new(k, order);
    let (kernel, dim) = (dot::Kernel::best(), rows.dim());
    let pack = Pack::new(dim, &[query.as_slice()]);
    let group = pack.groups().next().unwrap_or_default();
    for &row in &coarse.rows {
        let mut score = [f32::NAN];
        kernel.single(rows.row(row as usize)?, dim, (group, 0), 0, &mut score);
        top.offer(row as usize, &score);
    }
    let hits = top.into_hits();
    match coarse.rest {
        Some(RestBound { max_score, error }) if coarse.rows.len() < rows.len() => {
            let kth = hits.get(k.checked_sub(1)?)?;
            // Rounded up, so that equality counts as undecided.
            let bound = (f64::from(max_score) + f64::from(error)) as f32;
            // With a NaN score or bound the query is undecided.
            (order.sign() * kth.score > bound.next_up()).then_some(hits)
        }
        _ => Some(hits),
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// Rows of one value each, for the query (1).
    fn decided(found: &[u32], last: f32, error: f32, k: usize, order: Order) -> Option<Vec<usize>> {
        let values = [0.5, 0.25, 0.75, 0.5, -1.0].map(f16::from_f32);
        let rows = Rows::new(1, vec![&values]).unwrap();
        let query = Features::new(vec![1.0]).unwrap();
        let rest = Some(RestBound { max_score: last, error });
        let coarse = CoarseTop { rows: found.to_vec(), rest };
        let hits = hits(&rows, &query, k, order, &coarse)?;
        Some(hits.into_iter().map(|hit| hit.row).collect())
    }

    #[test]
    fn clear_lead_is_decided() {
        assert_eq!(decided(&[2, 3, 0, 1], 0.25, 0.01, 2, Order::Best), Some(vec![2, 0]));
        assert_eq!(decided(&[4, 1], -0.25, 0.01, 1, Order::Worst), Some(vec![4]));
    }

    #[test]
    fn possible_tie_is_undecided() {
        // A third row of 0.5 with a lower number may be missing.
        assert_eq!(decided(&[2, 3], 0.5, 0.0, 2, Order::Best), None);
        assert_eq!(decided(&[2, 3, 0], 0.495, 0.01, 2, Order::Best), None);
        assert_eq!(decided(&[2, 3, 0], f32::NAN, 0.01, 2, Order::Best), None);
        assert_eq!(decided(&[2, 3, 0], 0.25, f32::INFINITY, 2, Order::Best), None);
    }

    #[test]
    fn returning_all_rows_is_decided() {
        let all = decided(&[4, 3, 2, 1, 0], 9.0, 9.0, 5, Order::Best);
        assert_eq!(all, Some(vec![2, 0, 3, 1, 4]));
    }

    #[test]
    fn fewer_rows_than_k_are_undecided() {
        assert_eq!(decided(&[2], -1.0, 0.0, 2, Order::Best), None);
    }
}
