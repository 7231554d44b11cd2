//! Each query over rows of its own choice.

use rayon::prelude::*;

use super::super::RelativeBias;
use super::super::simd::{Isa, Kernel, Simd, exp};
use super::{Heads, KvRows};

/// A task's buffers: the rows of a list, and their scores.
type Buffers = (Vec<u32>, Vec<f32>);

/// Queries of one task at most.
const TASK: usize = 32;

/// Writes to `out` (n, width) the attention of each of `queries` (n, width) over
/// the rows of `kv` that `chain` lists for it: called with the query's number
/// and an empty list to fill, in the order in which sums are taken. `bias` is added to the
/// scaled products, for a query that stands at the end of its list.
///
/// Cost: two passes over the rows of each list, on all threads.
///
/// # Panics
/// Where a list is empty or numbers a row that is not there, and where the
/// slices are no whole rows: bugs of the caller's.
pub(crate) fn chains(
    heads: Heads,
    queries: &[f32],
    kv: KvRows<'_>,
    chain: impl Fn(usize, &mut Vec<u32>) + Sync,
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
            chain(number, rows);
            Isa::best().run(Chain { heads, query, kv, rows, bias, scores, out });
        }
    });
}

/// One query.
struct Chain<'a> {
    heads: Heads,
    query: &'a [f32],
    kv: KvRows<'a>,
    rows: &'a [u32],
    bias: Option<&'a RelativeBias>,
    /// Room for a score of each head and row.
    scores: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl Kernel for Chain<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Chain { heads, query, kv, rows, bias, scores, out } = self;
        let head = query.len() / heads.count;
        // A head's scores fill whole vectors, behind them what e^x takes to 0.
        let stride = rows.len().next_multiple_of(S::LANES);
        scores.clear();
        scores.resize(heads.count * stride, f32::NEG_INFINITY);
        for (place, &number) in rows.iter().enumerate() {
            let key = kv.keys.get(number);
            let pairs = query.chunks_exact(head).zip(key.chunks_exact(head));
            for (scores, (query, key)) in scores.chunks_exact_mut(stride).zip(pairs) {
                scores[place] = dot(s, query, key) * heads.scale;
            }
        }
        for (at, scores) in scores.chunks_exact_mut(stride).enumerate() {
            if let (Some(bias), Some(last)) = (bias, rows.len().checked_sub(1)) {
                scores.iter_mut().zip(&bias.of(at, last)[..=last]).for_each(|(s, b)| *s += b);
            }
            softmax(s, scores);
        }
        // Row by row, as they lie: the rows of a width of 4 KiB share the lines of a cache.
        out.fill(0.0);
        let whole = head - head % S::LANES;
        for (place, &number) in rows.iter().enumerate() {
            let value = kv.values.get(number);
            let pairs = out.chunks_exact_mut(head).zip(value.chunks_exact(head));
            for ((out, value), scores) in pairs.zip(scores.chunks_exact(stride)) {
                let weight = s.splat(scores[place]);
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
