//! clip-interrogator's ranking, which is not exact, so that prompts compare.

use super::{Hit, Order, Rows};
use crate::Result;
use crate::encoder::Features;

impl Rows<'_> {
    /// The first `k` rows of each query's ranking as clip-interrogator 0.6.0 has it
    /// (`LabelTable.rank`): more than `chunk_size` rows are cut into chunks of so
    /// many, each chunk gives the first `chunk_size / chunks` of its own, and those
    /// are ranked again. A row may be missing because its chunk had better ones.
    ///
    /// The second ranking is from the best whatever `order` says, as it is there,
    /// so that [`Order::Worst`] gives the best of the worst.
    ///
    /// # Errors
    /// Those of [`top_k`](Rows::top_k).
    pub fn top_k_by_quota(
        &self,
        queries: &[Features],
        k: usize,
        order: Order,
        chunk_size: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        let chunk_size = chunk_size.max(1);
        let chunks = self.len().div_ceil(chunk_size);
        if chunks <= 1 {
            return self.top_k(queries, k, order);
        }
        let mut left = vec![Vec::new(); queries.len()];
        for start in (0..self.len()).step_by(chunk_size) {
            let chunk = self.part(start..start + chunk_size);
            let first = chunk.top_k(queries, chunk_size / chunks, order)?;
            for (left, hits) in left.iter_mut().zip(first) {
                left.extend(hits.into_iter().map(|hit| Hit { row: start + hit.row, ..hit }));
            }
        }
        for hits in &mut left {
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
            hits.truncate(k);
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// One value a row: the score with the query (1).
    fn ranked(values: &[f32], k: usize, order: Order, chunk_size: usize) -> Vec<usize> {
        let rows: Vec<f16> = values.iter().copied().map(f16::from_f32).collect();
        let query = Features::new(vec![1.0]).unwrap();
        let (first, second) = rows.split_at(rows.len() / 2);
        let rows = Rows::new(1, vec![first, second]).unwrap();
        let hits = rows.top_k_by_quota(&[query], k, order, chunk_size).unwrap();
        hits[0].iter().map(|hit| hit.row).collect()
    }

    #[test]
    fn a_chunk_gives_no_more_than_its_share() {
        // Two chunks of four, two rows of each.
        let values = [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4];
        assert_eq!(ranked(&values, 3, Order::Best, 4), [0, 1, 7]);
        assert_eq!(ranked(&values, 8, Order::Best, 4), [0, 1, 7, 6]);
        assert_eq!(ranked(&values, 3, Order::Best, 8), [0, 1, 2]);
    }

    #[test]
    fn the_second_ranking_forgets_the_order() {
        let values = [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4];
        assert_eq!(ranked(&values, 3, Order::Worst, 4), [2, 3, 5]);
        assert_eq!(ranked(&values, 3, Order::Worst, 8), [4, 5, 6]);
    }

    #[test]
    fn many_small_chunks_give_nothing() {
        assert!(ranked(&[0.5; 8], 3, Order::Best, 2).is_empty());
        assert_eq!(ranked(&[], 3, Order::Best, 0).len(), 0);
        assert!(ranked(&[0.5; 8], 3, Order::Best, 0).is_empty(), "as chunks of one");
    }
}
