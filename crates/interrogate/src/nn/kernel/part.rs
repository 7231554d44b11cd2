//! Several products of one input.

use std::ops::Range;

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::simd::MAX_ROWS;
use super::{Out, split};

/// The most input rows of a task: for 256 steps or 3,072 codes of each there is room in the
/// second-level cache.
const ROWS: usize = 6 * MAX_ROWS;

/// A weight, and the output of its product.
pub(crate) struct Part<'a, W> {
    pub(crate) weight: &'a W,
    pub(crate) out: Out<'a>,
    pub(crate) fused: &'a Fused<'a>,
}

/// The panels `panels` of several parts, numbered through all of them: each part that has one,
/// with its own panels. `count` is the number of a weight's panels.
pub(crate) fn each_part<'p, 'a, W>(
    parts: &'p [Part<'a, W>],
    panels: Range<usize>,
    count: impl Fn(&W) -> usize,
) -> impl Iterator<Item = (&'p Part<'a, W>, Range<usize>)> {
    let mut before = 0;
    parts.iter().filter_map(move |part| {
        let first = before;
        before += count(part.weight);
        let (start, end) = (panels.start.max(first), panels.end.min(before));
        (start < end).then(|| (part, start - first..end - first))
    })
}

/// Splits the products of `m` rows with `panels` panels among tasks, of at least `least` panels
/// each, and calls `multiply` with a task's packed rows, their numbers, and its panels.
///
/// Few rows are packed once, by `pack(rows, true)`, which may use all threads, and the panels are
/// split. Of many rows a task packs its own, by `pack(rows, false)`, and computes all panels if
/// there are enough tasks for every thread.
pub(crate) fn each_task<P: Sync>(
    m: usize,
    panels: usize,
    least: usize,
    pack: impl Fn(Range<usize>, bool) -> P + Sync,
    multiply: impl Fn(&P, Range<usize>, Range<usize>) + Sync,
) {
    if m == 0 || panels == 0 {
        return;
    }
    let blocks = split::blocks(m, ROWS, MAX_ROWS);
    if blocks == 1 {
        let (packed, shares) = (&pack(0..m, true), split::ranges(panels, least, 1));
        (0..shares).into_par_iter().for_each(|i| {
            multiply(packed, 0..m, split::part(panels, shares, i));
        });
        return;
    }
    let shares = split::ranges(panels, 4 * least, blocks);
    (0..blocks * shares).into_par_iter().for_each(|task| {
        let rows = split::part(m, blocks, task / shares);
        let packed = pack(rows.clone(), false);
        multiply(&packed, rows, split::part(panels, shares, task % shares));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_numbered_through_all_parts() {
        let (mut values, fused) = ([0.0; 1], Fused::default());
        let out = Out::new(&mut values, 1);
        let parts = [&2, &0, &3].map(|weight| Part { weight, out, fused: &fused });
        let of = |panels| {
            each_part(&parts, panels, |&count| count)
                .map(|(p, r)| (*p.weight, r))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(0..5), [(2, 0..2), (3, 0..3)]);
        assert_eq!(of(1..3), [(2, 1..2), (3, 0..1)]);
        assert_eq!(of(2..4), [(3, 0..2)]);
        assert_eq!(of(2..2), []);
    }
}
