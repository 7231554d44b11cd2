//! Attention of each query to its own list of rows.

use rayon::prelude::*;

use super::super::RelativeBias;
use super::super::simd::{Isa, Kernel, Simd, exp};
use super::{Heads, KvRows};

/// The buffers of a task: a list of rows, and their scores.
type Buffers = (Vec<u32>, Vec<f32>);

/// The most queries per task.
const TASK: usize = 32;

/// Writes to `out` (n, width) the attention of each of `queries` (n, width) to its list of rows
/// of `kv`. `list` is called with the query's number and an empty list to fill; sums are taken
/// in its order. `bias` is added to the scaled products, for a query at the end of its list.
///
/// Cost: two passes over the rows of each list, on all threads.
///
/// # Panics
/// If a list is empty or has a row number out of range, or a slice is not whole rows: bugs of
/// the caller.
pub(crate) fn attend_lists(
    heads: Heads,
    queries: &[f32],
    kv: KvRows<'_>,
    list: impl Fn(usize, &mut Vec<u32>) + Sync,
    bias: Option<&RelativeBias>,
    out: &mut [f32],
) {
    let width = kv.keys.width;
    assert!(queries.len() == out.len() && kv.keys.current.len() == kv.values.current.len());
    assert!(width > 0 && width.is_multiple_of(heads.count) && out.len().is_multiple_of(width));
    let share = (out.len() / width).div_ceil(rayon::current_num_threads());
    let size = share.clamp(1, TASK);
    let tasks = out.par_chunks_mut(size * width).zip(queries.par_chunks(size * width));
    tasks.enumerate().for_each_init(Buffers::default, |(rows, scores), (task, (out, queries))| {
        let pairs = out.chunks_exact_mut(width).zip(queries.chunks_exact(width));
        for (number, (out, query)) in (task * size..).zip(pairs) {
            rows.clear();
            list(number, rows);
            Isa::best().run(ListQuery { heads, query, kv, rows, bias, scores, out });
        }
    });
}

/// One query and its list.
struct ListQuery<'a> {
    heads: Heads,
    query: &'a [f32],
    kv: KvRows<'a>,
    rows: &'a [u32],
    bias: Option<&'a RelativeBias>,
    /// Buffer for the scores, (heads, rows).
    scores: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl Kernel for ListQuery<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let ListQuery { heads, query, kv, rows, bias, scores, out } = self;
        let head = query.len() / heads.count;
        // A head's scores fill whole vectors, padded with minus infinity, which e^x maps to 0.
        let stride = rows.len().next_multiple_of(S::LANES);
        scores.clear();
        scores.resize(heads.count * stride, f32::NEG_INFINITY);
        for (position, &number) in rows.iter().enumerate() {
            let key = kv.keys.get(number);
            let pairs = query.chunks_exact(head).zip(key.chunks_exact(head));
            for (scores, (query, key)) in scores.chunks_exact_mut(stride).zip(pairs) {
                scores[position] = dot(s, query, key) * heads.scale;
            }
        }
        for (at, scores) in scores.chunks_exact_mut(stride).enumerate() {
            if let (Some(bias), Some(last)) = (bias, rows.len().checked_sub(1)) {
                scores.iter_mut().zip(&bias.of(at, last)[..=last]).for_each(|(s, b)| *s += b);
            }
            softmax(s, scores);
        }
        // In row order: rows of 4 KiB map to the same cache lines, so reading a column would
        // evict them.
        out.fill(0.0);
        let whole = head - head % S::LANES;
        for (position, &number) in rows.iter().enumerate() {
            let value = kv.values.get(number);
            let pairs = out.chunks_exact_mut(head).zip(value.chunks_exact(head));
            for ((out, value), scores) in pairs.zip(scores.chunks_exact(stride)) {
                let weight = s.splat(scores[position]);
                for from in (0..whole).step_by(S::LANES) {
                    let sum = s.fma(weight, s.read(&value[from..]), s.read(&out[from..]));
                    s.write(&mut out[from..], sum);
                }
                if whole < head {
                    let (value, out) = (&value[whole..], &mut out[whole..]);
                    let sum = s.fma(weight, s.read_part(value, 0.0), s.read_part(out, 0.0));
                    s.write_part(out, sum);
                }
            }
        }
    }
}

/// The dot product of two slices of equal length.
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

/// Softmax in place, with the maximum subtracted first. `scores` is whole vectors, padded with
/// minus infinity.
#[inline(always)]
pub(super) fn softmax<S: Simd>(s: S, scores: &mut [f32]) {
    let mut highest = s.splat(f32::NEG_INFINITY);
    for scores in scores.chunks_exact(S::LANES) {
        highest = s.max(s.read(scores), highest); // ignores NaN
    }
    let highest = s.splat(s.highest(highest));
    let mut sum = s.splat(0.0);
    for scores in scores.chunks_exact_mut(S::LANES) {
        let e = exp(s, s.sub(s.read(scores), highest));
        s.write(scores, e);
        sum = s.add(sum, e);
    }
    let share = s.splat(1.0 / s.sum(sum));
    for scores in scores.chunks_exact_mut(S::LANES) {
        s.write(scores, s.mul(s.read(scores), share));
    }
}
