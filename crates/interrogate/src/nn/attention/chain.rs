//! Each query over rows of its own choice.

use rayon::prelude::*;

use super::super::simd::{Kernel, Level, Simd, exp};
use super::{Heads, Seen};

/// A task's room for the rows of a list and for their scores.
type Room = (Vec<u32>, Vec<f32>);

/// Queries of one task.
const TASK: usize = 32;

/// Writes to `out` (n, width) the attention of each of `queries` (n, width) over
/// the rows of `seen` that `chain` lists for it: called with the query's number
/// and an empty list to fill, in the order in which sums are taken.
///
/// Cost: two passes over the rows of each list, on all threads.
///
/// # Panics
/// Where a list is empty or numbers a row that is not there, and where the
/// slices are no whole rows: bugs of the caller's.
pub(crate) fn chains(
    heads: Heads,
    width: usize,
    queries: &[f32],
    seen: Seen<'_>,
    chain: impl Fn(usize, &mut Vec<u32>) + Sync,
    out: &mut [f32],
) {
    assert!(queries.len() == out.len() && seen.keys.len() == seen.values.len());
    assert!(width > 0 && width.is_multiple_of(heads.count) && out.len().is_multiple_of(width));
    let tasks = out.par_chunks_mut(TASK * width).zip(queries.par_chunks(TASK * width));
    tasks.enumerate().for_each_init(Room::default, |(rows, scores), (task, (out, queries))| {
        let pairs = out.chunks_exact_mut(width).zip(queries.chunks_exact(width));
        for (number, (out, query)) in (task * TASK..).zip(pairs) {
            rows.clear();
            chain(number, rows);
            Level::best().run(Chain { heads, query, seen, rows, scores, out });
        }
    });
}

/// One query.
struct Chain<'a> {
    heads: Heads,
    query: &'a [f32],
    seen: Seen<'a>,
    rows: &'a [u32],
    /// Room for a score of each head and row.
    scores: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl Kernel for Chain<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Chain { heads, query, seen, rows, scores, out } = self;
        let (width, head) = (query.len(), query.len() / heads.count);
        let row = |of: &'_ [f32], number: u32| {
            let start = number as usize * width;
            start..start + of[start..][..width].len()
        };
        // A head's scores fill whole vectors, behind them what e^x takes to 0.
        let stride = rows.len().next_multiple_of(S::LANES);
        scores.clear();
        scores.resize(heads.count * stride, f32::NEG_INFINITY);
        for (place, &number) in rows.iter().enumerate() {
            let key = &seen.keys[row(seen.keys, number)];
            let pairs = query.chunks_exact(head).zip(key.chunks_exact(head));
            for (scores, (query, key)) in scores.chunks_exact_mut(stride).zip(pairs) {
                scores[place] = dot(s, query, key) * heads.scale;
            }
        }
        let heads = scores.chunks_exact_mut(stride).zip(out.chunks_exact_mut(head));
        for (at, (scores, out)) in heads.enumerate() {
            softmax(s, scores);
            let value = |number| &seen.values[row(seen.values, number)][at * head..][..head];
            let pairs = || rows.iter().zip(&*scores).map(|(&number, &w)| (value(number), w));
            let whole = head - head % S::LANES;
            for from in (0..whole).step_by(S::LANES) {
                let add =
                    |sum, (value, w): (&[f32], f32)| s.fma(s.splat(w), s.read(&value[from..]), sum);
                s.write(&mut out[from..], pairs().fold(s.splat(0.0), add));
            }
            if whole < head {
                let add = |sum, (value, w): (&[f32], f32)| {
                    s.fma(s.splat(w), s.read_part(&value[whole..], 0.0), sum)
                };
                s.write_part(&mut out[whole..], pairs().fold(s.splat(0.0), add));
            }
        }
    }
}

/// The dot product of two heads of one length.
#[inline(always)]
fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let whole = a.len() - a.len() % S::LANES;
    let mut sum = s.splat(0.0);
    for from in (0..whole).step_by(S::LANES) {
        sum = s.fma(s.read(&a[from..]), s.read(&b[from..]), sum);
    }
    if whole < a.len() {
        sum = s.fma(s.read_part(&a[whole..], 0.0), s.read_part(&b[whole..], 0.0), sum);
    }
    s.sum(sum)
}

/// Exponentials divided by their sum, the highest taken off first; whole vectors
/// of scores, of which those that do not count are infinitely low.
#[inline(always)]
pub(super) fn softmax<S: Simd>(s: S, scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = s.splat(0.0);
    for scores in scores.chunks_exact_mut(S::LANES) {
        let e = exp(s, s.sub(s.read(scores), s.splat(highest)));
        s.write(scores, e);
        sum = s.add(sum, e);
    }
    let share = s.splat(1.0 / s.sum(sum));
    for scores in scores.chunks_exact_mut(S::LANES) {
        s.write(scores, s.mul(s.read(scores), share));
    }
}
