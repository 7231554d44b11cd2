//! The ranking of clip-interrogator, which is not exact, for comparable prompts.

use super::{Hit, Order, Rows};
use crate::Result;
use crate::encoder::Features;

impl Rows<'_> {
    /// Returns the first `k` rows of each query's ranking as clip-interrogator 0.6.0 computes it
    /// (`LabelTable.rank`). Tables of more than `chunk_size` rows are split into chunks of
    /// `chunk_size`; each chunk contributes its first `chunk_size / chunks` rows, and these are
    /// ranked again. A row may be missing because its chunk had better ones.
    ///
    /// As in the original, the second ranking is always from the best, so that [`Order::Worst`]
    /// returns the best of the worst.
    ///
    /// # Errors
    /// As of [`top_k`](Rows::top_k).
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
        let mut all = vec![Vec::new(); queries.len()];
        for start in (0..self.len()).step_by(chunk_size) {
            let chunk = self.part(start..start + chunk_size);
            let first = chunk.top_k(queries, chunk_size / chunks, order)?;
            for (all, hits) in all.iter_mut().zip(first) {
                all.extend(hits.into_iter().map(|hit| Hit { row: start + hit.row, ..hit }));
            }
        }
        for hits in &mut all {
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
            hits.truncate(k);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// One value per row: its score for the query (1).
    fn ranked(values: &[f32], k: usize, order: Order, chunk_size: usize) -> Vec<usize> {
        let rows: Vec<f16> = values.iter().copied().map(f16::from_f32).collect();
        let query = Features::new(vec![1.0]).unwrap();
        let (first, second) = rows.split_at(rows.len() / 2);
        let rows = Rows::new(1, vec![first, second]).unwrap();
        let hits = rows.top_k_by_quota(&[query], k, order, chunk_size).unwrap();
        hits[0].iter().map(|hit| hit.row).collect()
    }

    #[test]
    fn chunk_contributes_at_most_its_share() {
        // Two chunks of four rows, two rows from each.
        let values = [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4];
        assert_eq!(ranked(&values, 3, Order::Best, 4), [0, 1, 7]);
        assert_eq!(ranked(&values, 8, Order::Best, 4), [0, 1, 7, 6]);
        assert_eq!(ranked(&values, 3, Order::Best, 8), [0, 1, 2]);
    }

    #[test]
    fn second_ranking_is_always_from_the_best() {
        let values = [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3, 0.4];
        assert_eq!(ranked(&values, 3, Order::Worst, 4), [2, 3, 5]);
        assert_eq!(ranked(&values, 3, Order::Worst, 8), [4, 5, 6]);
    }

    #[test]
    fn more_chunks_than_chunk_size_return_nothing() {
        assert!(ranked(&[0.5; 8], 3, Order::Best, 2).is_empty());
        assert_eq!(ranked(&[], 3, Order::Best, 0).len(), 0);
        assert!(ranked(&[0.5; 8], 3, Order::Best, 0).is_empty(), "as chunks of one");
    }
}
