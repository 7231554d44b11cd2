//! The innermost loop: a block of sums that stays in registers.

use super::super::simd::{Simd, TILE_VECTORS};

/// The most steps along `k` before a tile's sums go back to memory: a tile's inputs (15 KiB) and
/// a panel of weights (32 KiB) fit a first-level cache of 48 KiB together.
pub(crate) const STEPS: usize = 256;

/// Values from one packed input row to the next: a constant, so that a row is a displacement in
/// the instruction and not a register; and not a power of two, so that rows do not map to one
/// set of the cache.
pub(crate) const STRIDE: usize = STEPS + 16;

/// The operands of a tile.
#[derive(Clone, Copy)]
pub(crate) struct Operands {
    /// The first input row; the next is [`STRIDE`] after it.
    pub(crate) a: *const f32,
    /// The first panel of weights: the values of a step, then those of the next.
    pub(crate) w: *const f32,
    /// Values from a step to the next in a panel.
    pub(crate) step: usize,
    /// Values from a panel to the next.
    pub(crate) panel: usize,
    /// The first output row.
    pub(crate) out: *mut f32,
    /// Values from one output row to the next.
    pub(crate) stride: usize,
    /// What to prefetch.
    pub(crate) prefetch: Prefetch,
}

/// What a tile of several rows prefetches while it multiplies, one cache line per step: the
/// weights of the next panel, which are in memory or in the third-level cache. Products of 400
/// rows ran at 325 of 460 GFLOP/s with it, and at 256 without; products of 50 rows at 280, and
/// at 175 without.
#[derive(Clone, Copy)]
pub(crate) struct Prefetch {
    /// A hint: any address is harmless.
    pub(crate) from: *const f32,
    /// Values from a step's address to the next step's.
    pub(crate) step: usize,
}

impl Prefetch {
    /// Prefetches nothing new: the line at `near` at every step.
    pub(crate) fn none(near: *const f32) -> Self {
        Prefetch { from: near, step: 0 }
    }
}

/// f32 values in a cache line.
pub(crate) const LINE: usize = 16;

/// Prefetch distance in values for a single row, which reads one line of each panel per step:
/// eight lines of each in flight hide the latency of memory.
const PREFETCH_ONE_ROW: usize = 256;

/// `out[i, c] (+)= sum over steps of a[i, step] * w[step, c]`, for `M` rows and `C` vectors of
/// columns. The sum runs in the order of the steps, from zero if `fresh`, else from the values
/// in `out`.
///
/// # Safety
/// Readable: `M` input rows of `steps` values; `steps` steps of weights for each of the `C /
/// TILE_VECTORS` panels. Writable, and initialized unless `fresh`: `C * LANES` values of each of
/// `M` output rows.
#[inline(always)]
unsafe fn block<S: Simd, const M: usize, const C: usize>(
    s: S,
    steps: usize,
    at: Operands,
    fresh: bool,
) {
    let column = |c: usize| (c / TILE_VECTORS, c % TILE_VECTORS * S::LANES);
    let out = |i: usize, c: usize| {
        // SAFETY: row i < M and column c < C of the output.
        unsafe { at.out.add(i * at.stride + c * S::LANES) }
    };
    let mut sums = [[s.splat(0.0); C]; M];
    if !fresh {
        for (i, row) in sums.iter_mut().enumerate() {
            for (c, sum) in row.iter_mut().enumerate() {
                // SAFETY: initialized, by the contract.
                *sum = unsafe { s.load(out(i, c)) };
            }
        }
    }
    let (mut a, mut w, mut next) = (at.a, at.w, at.prefetch.from);
    for _ in 0..steps {
        if M > 1 {
            s.prefetch(next.cast());
        }
        let mut weights = [s.splat(0.0); C];
        for (c, weights) in weights.iter_mut().enumerate() {
            let (panel, lane) = column(c);
            // SAFETY: this step of this panel, readable by the contract.
            *weights = unsafe { s.load(w.add(panel * at.panel + lane)) };
            if M == 1 {
                s.prefetch(w.wrapping_add(panel * at.panel + lane + PREFETCH_ONE_ROW).cast());
            }
        }
        for (i, row) in sums.iter_mut().enumerate() {
            // SAFETY: this step of row i < M.
            let x = s.splat(unsafe { *a.add(i * STRIDE) });
            for (sum, &weights) in row.iter_mut().zip(&weights) {
                *sum = s.dot(*sum, x, weights);
            }
        }
        // Wrapping, because after the last step the pointers are unused and may be out of
        // bounds.
        (a, w) = (a.wrapping_add(1), w.wrapping_add(at.step));
        next = next.wrapping_add(at.prefetch.step);
    }
    for (i, row) in sums.iter().enumerate() {
        for (c, &sum) in row.iter().enumerate() {
            // SAFETY: writable by the contract.
            unsafe { s.store(out(i, c), sum) };
        }
    }
}

/// Panels that a block of `rows` computes side by side: few rows alone would not keep the
/// multipliers busy.
#[inline(always)]
pub(crate) fn panels_abreast<S: Simd>(rows: usize) -> usize {
    match rows {
        1 => 4,
        2..=6 if rows * 2 <= S::ROWS => 2,
        _ => 1,
    }
}

/// A [`block`] of `rows` rows and one panel, or [`panels_abreast`] panels if `wide`.
///
/// # Safety
/// As for `block`, with `rows` in `1..=S::ROWS`.
#[inline(always)]
pub(crate) unsafe fn tile<S: Simd>(
    s: S,
    rows: usize,
    wide: bool,
    steps: usize,
    at: Operands,
    fresh: bool,
) {
    macro_rules! choose {
        ($($m:literal),*; $($few:literal $c:literal),*) => {
            match (rows, wide) {
                // SAFETY: by the caller's contract; `rows` selects its own M.
                $(($few, true) => unsafe { block::<S, $few, $c>(s, steps, at, fresh) },)*
                // SAFETY: as above, one panel wide.
                $(($m, _) if $m <= S::ROWS => unsafe {
                    block::<S, $m, TILE_VECTORS>(s, steps, at, fresh)
                },)*
                _ => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    choose!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14; 1 8, 2 4, 3 4, 4 4, 5 4, 6 4);
}
