//! Stage two: true scores, and whether they settle the ranking.

use super::super::dot::{self, Pack};
use super::super::topk::TopK;
use super::super::{Hit, Order, Rows};
use crate::encoder::Features;

/// What came back for one query: rows, best first by the device's scores.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<u32>,
    /// The device's score, as if the highest were asked for, of the last of them.
    pub(super) last: f32,
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
    found: &Found,
) -> Option<Vec<Hit>> {
    let (kernel, pack) = (dot::Kernel::best(), Pack::new(rows.dim(), &[query.as_slice()]));
    let mut top = TopK::new(k, order);
    for &row in &found.rows {
        let mut score = [f32::NAN];
        let values = rows.row(row as usize)?;
        let group = pack.groups().next().unwrap_or_default();
        kernel.single(values, rows.dim(), (group, 0), &mut score);
        top.offer(row as usize, &score);
    }
    let hits = top.into_hits();
    if found.rows.len() == rows.len() {
        return Some(hits);
    }
    let kth = hits.get(k.checked_sub(1)?)?;
    // Rounded up, so that equality is never taken for less.
    let reach = (f64::from(found.last) + f64::from(found.error)) as f32;
    // A score or a bound that is not a number settles nothing.
    (order.sign() * kth.score > reach.next_up()).then_some(hits)
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
        let found = Found { rows: found.to_vec(), last, error };
        let hits = hits(&rows, &query, k, order, &found)?;
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
    fn fewer_than_k_are_no_answer() {
        assert_eq!(settled(&[2], -1.0, 0.0, 2, Order::Best), None);
    }
}
