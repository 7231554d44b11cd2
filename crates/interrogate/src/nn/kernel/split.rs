//! Splitting of work: even parts, and a grid of tasks for all threads.

use std::ops::Range;

/// Splits `0..n` into the fewest parts of at most `most` each, and these evenly: a short last
/// part would run at a fraction of the speed.
pub(crate) fn even(n: usize, most: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    let parts = n.div_ceil(most.max(1));
    (0..parts).map(move |i| i * n / parts..(i + 1) * n / parts)
}

/// Part `i` of `parts` even parts of `0..n`.
pub(crate) fn part(n: usize, parts: usize, i: usize) -> Range<usize> {
    i * n / parts..(i + 1) * n / parts
}

/// The number of ranges to split `units` into so that, with `others` ranges along the other
/// side, each thread gets about four tasks and no task has fewer than `least` units.
pub(crate) fn ranges(units: usize, least: usize, others: usize) -> usize {
    let wanted = (4 * rayon::current_num_threads()).div_ceil(others.max(1));
    wanted.min(units / least.max(1)).max(1)
}

/// The number of blocks to split `rows` into, so that none has more than `most`: one, or a
/// multiple of the number of threads, so that none waits for another that has one more (1,024
/// rows on two threads: 288 GFLOP/s in nine blocks, 340 in fourteen). Blocks of fewer than
/// `least` are not worth that.
pub(crate) fn blocks(rows: usize, most: usize, least: usize) -> usize {
    match rows.div_ceil(most) {
        0 | 1 => 1,
        some => some.next_multiple_of(rayon::current_num_threads()).min(rows.div_ceil(least)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_even_and_cover_all() {
        for (n, most, sizes) in [
            (50, 14, &[12, 13, 12, 13][..]),
            (14, 14, &[14]),
            (15, 14, &[7, 8]),
            (0, 14, &[]),
            (1, 1, &[1]),
        ] {
            let parts: Vec<_> = even(n, most).collect();
            assert_eq!(parts.iter().map(Range::len).collect::<Vec<_>>(), sizes);
            assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn small_work_is_one_task_and_large_work_feeds_all_threads() {
        assert_eq!(ranges(3, 8, 1), 1);
        assert_eq!(ranges(1_000_000, 8, 1), 4 * rayon::current_num_threads());
        assert_eq!(ranges(1_000_000, 8, 1_000), 1);
    }
}
