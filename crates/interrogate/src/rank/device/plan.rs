//! Sizes of a ranking by the kernels: batches, pieces, lists.

/// Queries of a batch, whose coarse scores are computed together.
pub(super) const BATCH: usize = 2048;

/// Scores of a piece for all queries of a batch: 32 MiB of f16, which stay in the second-level
/// cache of an H100 (50 MB) between the product and the selection.
pub(super) const SCORES: usize = 1 << 24;

/// Scores that a block of `select_rows` compares at a time: CHUNK of its source.
pub(super) const CHUNK: usize = 8192;

/// Rows of a tile of `products`: TILE_ROWS of its source.
const TILE_ROWS: usize = 128;

/// Shared counters of a block: COUNTERS of the source.
const COUNTERS: usize = 18;

/// The most entries of all lists of a query, which one block gathers in shared memory.
const GATHERED: usize = 8192;

/// The most lists of a query.
const MAX_SPLITS: usize = 64;

/// The sizes for a number of queries and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Rows that are rescored for each query.
    pub(super) wanted: usize,
    /// Entries of a list.
    pub(super) capacity: usize,
    /// Lists per query.
    pub(super) splits: usize,
    /// The keys of a query that are sorted: a power of two.
    pub(super) width: usize,
    /// The most rows of a piece, and the length of a query's row of scores.
    pub(super) piece: usize,
}

/// The limits of a GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) processors: usize,
    /// The most shared memory of a block, in bytes.
    pub(super) shared: usize,
}

impl Plan {
    /// Returns the sizes for batches of at most `batch` queries, or `None` if the lists of
    /// `wanted` rows exceed the shared memory of a block.
    pub(super) fn new(
        batch: usize,
        rows: usize,
        dim: usize,
        wanted: usize,
        limits: Limits,
    ) -> Option<Self> {
        let capacity = 2 * wanted + 32;
        let width = wanted.next_power_of_two().max(2);
        let piece = (SCORES / batch.clamp(1, BATCH)).min(rows).next_multiple_of(TILE_ROWS);
        let mut plan = Plan { wanted, capacity, splits: 1, width, piece };
        let fixed = plan.rescore_bytes(dim) - 8 * capacity;
        let fit = limits.shared.checked_sub(fixed)? / (8 * capacity);
        if fit == 0 || plan.select_bytes() > limits.shared {
            return None;
        }
        // About eight blocks per processor.
        let wanted_splits = (8 * limits.processors).div_ceil(batch.max(1));
        let chunks = piece.div_ceil(CHUNK);
        let most = [chunks, MAX_SPLITS, GATHERED / capacity, fit].into_iter().min()?;
        plan.splits = wanted_splits.clamp(1, most.max(1));
        Some(plan)
    }

    /// Rows of each list's part of a piece of `count` rows.
    pub(super) fn strip(&self, count: usize) -> usize {
        count.div_ceil(CHUNK).div_ceil(self.splits).max(1) * CHUNK
    }

    /// Shared memory of a block of `select_rows`.
    pub(super) fn select_bytes(&self) -> usize {
        8 * self.capacity + 4 * COUNTERS
    }

    /// Shared memory of a block of `rescore`.
    pub(super) fn rescore_bytes(&self, dim: usize) -> usize {
        8 * (self.width + self.splits * self.capacity) + 4 * (dim.next_multiple_of(16) + COUNTERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Limits = Limits { processors: 132, shared: 232_448 };

    /// The source's sizes are those of this file.
    #[test]
    fn sizes_match_the_source() {
        let source = [include_str!("kernels/select.cu"), include_str!("kernels/keys.cu")].concat()
            + include_str!("kernels/products.cu");
        for line in [
            format!("#define COUNTERS {COUNTERS} "),
            format!("#define TILE_ROWS {TILE_ROWS} "),
            "#define CHUNK (SELECT_THREADS * 8 * LOADS) ".into(),
            "#define SELECT_THREADS 256\n".into(),
            "#define LOADS 4 ".into(),
        ] {
            assert!(source.contains(&line), "{line}");
        }
        assert_eq!(CHUNK, 256 * 8 * 4);
    }

    #[test]
    fn scores_of_a_piece_fit_their_buffer() {
        for batch in [1, 2, 64, 65, 1000, 1500, BATCH] {
            for rows in [1, 127, 128, 100_970, 10_000_000, u32::MAX as usize - 1] {
                let plan = Plan::new(batch, rows, 512, 19, H100).unwrap();
                assert!(plan.piece.is_multiple_of(TILE_ROWS) && plan.piece > 0);
                assert!(batch * plan.piece <= SCORES + batch * TILE_ROWS);
                assert!(plan.strip(plan.piece) * plan.splits >= plan.piece);
                assert!(plan.strip(1) * plan.splits >= 1);
            }
        }
    }

    #[test]
    fn lists_of_every_length_fit_the_shared_memory() {
        for shared in [101_376, 166_912, 232_448] {
            let limits = Limits { processors: 108, shared };
            for wanted in 1..=super::super::MAX_REQUESTED {
                for batch in [1, 64, BATCH] {
                    let plan = Plan::new(batch, 10_000_000, 512, wanted, limits).unwrap();
                    assert!(plan.rescore_bytes(512) <= shared && plan.select_bytes() <= shared);
                    assert!(plan.width >= wanted && plan.capacity >= plan.wanted);
                }
            }
        }
        let none = Limits { processors: 108, shared: 48 << 10 };
        assert_eq!(Plan::new(1, 1000, 512, 4096, none), None);
    }

    #[test]
    fn few_queries_have_several_lists() {
        let splits = |batch, rows| Plan::new(batch, rows, 512, 19, H100).unwrap().splits;
        assert_eq!((splits(1, 100_970), splits(1, 10_000_000)), (13, 64));
        assert_eq!((splits(64, 10_000_000), splits(2048, 10_000_000)), (17, 1));
    }
}
