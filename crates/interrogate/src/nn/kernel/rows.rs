//! Weights as stored in the file, in 16 bits, widened on the fly.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::super::activation::Fused;
use super::super::scratch::Scratch;
use super::super::simd::{Isa, Kernel, Simd};
use super::{Out, split};
use crate::weights::Bytes;

/// Values along `k` that are summed per lane before the lanes are added: a block of four widened
/// rows and a few of the input fit the first-level cache.
const BLOCK: usize = 1024;

/// Outputs computed together.
const OUTPUTS: usize = 4;

/// Input rows per task, which all meet each of its outputs.
const INPUTS: usize = 96;

/// The fewest outputs per task.
const MIN_OUTPUTS: usize = 16;

/// The type of the stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    Bf16,
}

impl Element {
    /// Bytes of a value.
    pub(crate) const SIZE: usize = 2;
}

/// A row-major weight `(n, k)`, of any alignment, little endian.
#[derive(Clone)]
pub(crate) struct Rows {
    isa: Isa,
    bytes: Bytes,
    start: usize,
    element: Element,
    n: usize,
    k: usize,
}

impl Rows {
    /// Creates a weight of the `n` rows of `k` values at byte `start`; `None` if they end beyond
    /// `bytes`.
    pub(crate) fn new(
        isa: Isa,
        bytes: Bytes,
        start: usize,
        element: Element,
        (n, k): (usize, usize),
    ) -> Option<Self> {
        let size = n.checked_mul(k)?.checked_mul(Element::SIZE)?;
        (*bytes).as_ref().get(start..start.checked_add(size)?)?;
        Some(Rows { isa, bytes, start, element, n, k })
    }

    /// Outputs.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Inputs.
    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// Computes `out (m, n) = fused(x (m, k) weight^T)`. Reads the weight once for each 96 rows
    /// of `x`.
    ///
    /// # Panics
    /// If `x` or `out` is shorter than that, or the bytes shrank.
    pub(crate) fn product(&self, x: &[f32], m: usize, out: Out<'_>, fused: &Fused<'_>) {
        assert!(x.len() >= m * self.k && out.stride == self.n);
        let size = self.n * self.k * Element::SIZE;
        let weight = &(*self.bytes).as_ref()[self.start..self.start + size];
        let blocks = split::even(m, INPUTS).len();
        let shares = split::ranges(self.n, MIN_OUTPUTS, blocks);
        (0..blocks * shares).into_par_iter().for_each(|task| {
            let rows = split::part(m, blocks, task / shares);
            let outputs = split::part(self.n, shares, task % shares);
            let dots = Dots { weight, k: self.k, x, rows, outputs, out, fused };
            match self.element {
                Element::F16 => self.isa.run(dots.with(F16)),
                Element::Bf16 => self.isa.run(dots.with(Bf16)),
            }
        });
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}, {}) of {:?}", self.n, self.k, self.element)
    }
}

/// A stored type, as a type parameter of the kernel.
trait Stored: Copy + Send + Sync {
    const SIZE: usize;
    /// # Safety
    /// `LANES` values must be readable at `from`, of any alignment.
    unsafe fn load<S: Simd>(s: S, from: *const u8) -> S::V;
}

macro_rules! stored {
    ($name:ident, $size:literal, $load:ident) => {
        #[derive(Clone, Copy)]
        struct $name;
        impl Stored for $name {
            const SIZE: usize = $size;
            #[inline(always)]
            unsafe fn load<S: Simd>(s: S, from: *const u8) -> S::V {
                // SAFETY: the contract is the same; the loads are unaligned.
                unsafe { s.$load(from.cast()) }
            }
        }
    };
}
stored!(F32, 4, load);
stored!(F16, 2, load_f16);
stored!(Bf16, 2, load_bf16);

/// Products of some input rows with some outputs.
struct Dots<'a> {
    weight: &'a [u8],
    k: usize,
    x: &'a [f32],
    rows: Range<usize>,
    outputs: Range<usize>,
    out: Out<'a>,
    fused: &'a Fused<'a>,
}

struct DotsOf<'a, W>(Dots<'a>, PhantomData<W>);

impl<'a> Dots<'a> {
    fn with<W: Stored>(self, _: W) -> DotsOf<'a, W> {
        DotsOf(self, PhantomData)
    }
}

impl<W: Stored> Kernel for DotsOf<'_, W> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Dots { weight, k, x, rows, outputs, out, fused } = self.0;
        // Several blocks of input rows use the same weights: widen these once.
        let several = W::SIZE != 4 && rows.len() > S::DOT_ROWS;
        let mut widened = several.then(|| Scratch::with_len(OUTPUTS * BLOCK));
        for group in (outputs.start..outputs.end).step_by(OUTPUTS) {
            let group = group..outputs.end.min(group + OUTPUTS);
            for from in (0..k).step_by(BLOCK) {
                let len = BLOCK.min(k - from);
                let row = |j: usize| {
                    let at = ((group.start + j) * k + from) * W::SIZE;
                    &weight[at..at + len * W::SIZE]
                };
                if let Some(widened) = &mut widened {
                    for j in 0..group.len() {
                        let to = &mut widened[j * BLOCK..j * BLOCK + len];
                        widen::<S, W>(s, row(j), to);
                    }
                }
                for part in split::even(rows.len(), S::DOT_ROWS) {
                    let first = rows.start + part.start;
                    let (x, column, fresh) = (&x[first * k + from..], group.start, from == 0);
                    let prefetch = OUTPUTS * k * W::SIZE;
                    let target =
                        DotBlock { x, stride: k, row: first, column, out, prefetch, fresh };
                    match &widened {
                        None => dots::<S, W>(s, row, group.len(), part.len(), target),
                        Some(widened) => {
                            let row = |j: usize| bytes(&widened[j * BLOCK..j * BLOCK + len]);
                            dots::<S, F32>(s, row, group.len(), part.len(), target);
                        }
                    }
                }
            }
        }
        if !fused.is_none() {
            for row in rows {
                // SAFETY: written above, and only this task has these values.
                let values = unsafe { out.part(row, outputs.start, outputs.len()) };
                fused.finish(s, values, outputs.start, row * out.stride + outputs.start);
            }
        }
    }
}

/// The bytes of f32 values.
fn bytes(values: &[f32]) -> &[u8] {
    // SAFETY: f32 has no padding, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Widens the values of `from` into `to`.
#[inline(always)]
fn widen<S: Simd, W: Stored>(s: S, from: &[u8], to: &mut [f32]) {
    let whole = to.len() - to.len() % S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        // SAFETY: LANES values are left at `at` on both sides.
        let v = unsafe { W::load(s, from[at * W::SIZE..].as_ptr()) };
        s.write(&mut to[at..], v);
    }
    if whole < to.len() {
        let v = load_part::<S, W>(s, &from[whole * W::SIZE..]);
        s.write_part(&mut to[whole..], v);
    }
}

/// Loads fewer than `LANES` values, padded with zeros.
#[inline(always)]
fn load_part<S: Simd, W: Stored>(s: S, from: &[u8]) -> S::V {
    let mut lanes = [0u8; 64];
    lanes[..from.len()].copy_from_slice(from);
    // SAFETY: 64 bytes hold sixteen values of at most four bytes.
    unsafe { W::load(s, lanes.as_ptr()) }
}

/// The operands of a block of dot products.
#[derive(Clone, Copy)]
struct DotBlock<'a> {
    /// The input, from the first row's first value on.
    x: &'a [f32],
    /// Values from one input row to the next.
    stride: usize,
    /// The first output row and column.
    row: usize,
    column: usize,
    out: Out<'a>,
    /// Prefetch distance in bytes: from a weight to the same one of the next outputs.
    prefetch: usize,
    /// Whether sums are stored, or else added to the values there.
    fresh: bool,
}

/// Computes the dot products of `count` input rows with `len` weight rows.
#[inline(always)]
fn dots<'w, S: Simd, W: Stored>(
    s: S,
    row: impl Fn(usize) -> &'w [u8],
    len: usize,
    count: usize,
    target: DotBlock<'_>,
) {
    macro_rules! choose {
        ($($m:literal)*) => {
            match count {
                $($m if $m <= S::DOT_ROWS => {
                    if len == OUTPUTS {
                        return block::<S, W, $m, OUTPUTS>(s, std::array::from_fn(&row), target);
                    }
                    for j in 0..len {
                        let target = DotBlock { column: target.column + j, ..target };
                        block::<S, W, $m, 1>(s, [row(j)], target);
                    }
                })*
                _ => unreachable!("a block of {count} rows"),
            }
        };
    }
    choose!(1 2 3 4 5 6);
}

/// Computes `M` input rows with `J` weight rows. The sums of each stay in the lanes of a
/// register until the end.
#[inline(always)]
fn block<S: Simd, W: Stored, const M: usize, const J: usize>(
    s: S,
    rows: [&[u8]; J],
    at: DotBlock<'_>,
) {
    let k = rows[0].len() / W::SIZE;
    assert!(rows.iter().all(|row| row.len() == k * W::SIZE));
    assert!(at.x.len() >= (M - 1) * at.stride + k);
    let mut sums = [[s.splat(0.0); J]; M];
    let whole = k - k % S::LANES;
    for from in (0..whole).step_by(S::LANES) {
        // SAFETY: LANES values are left in each weight row at `from`, and in each of the M input
        // rows, as asserted.
        let weights = rows.map(|row| unsafe { W::load(s, row.as_ptr().add(from * W::SIZE)) });
        if M == 1 && J == OUTPUTS {
            // The same position in the next outputs: rows end before the hardware prefetcher has
            // warmed up.
            rows.iter().for_each(|row| {
                s.prefetch(row.as_ptr().wrapping_add(from * W::SIZE + at.prefetch));
            });
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let x = unsafe { s.load(at.x.as_ptr().add(i * at.stride + from)) };
            for (sum, &weights) in sums.iter_mut().zip(&weights) {
                *sum = s.fma(x, weights, *sum);
            }
        }
    }
    if whole < k {
        let weights = rows.map(|row| load_part::<S, W>(s, &row[whole * W::SIZE..]));
        for (i, sums) in sums.iter_mut().enumerate() {
            let x = s.read_part(&at.x[i * at.stride + whole..i * at.stride + k], 0.0);
            for (sum, &weights) in sums.iter_mut().zip(&weights) {
                *sum = s.fma(x, weights, *sum);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let to = at.out.at(at.row + i, at.column, J);
        for (j, &sum) in sums.iter().enumerate() {
            let sum = s.sum(sum);
            // SAFETY: in bounds by `at`, only this task's, and initialized unless fresh.
            unsafe { *to.add(j) = if at.fresh { sum } else { *to.add(j) + sum } };
        }
    }
}
