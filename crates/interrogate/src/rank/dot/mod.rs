//! The score: one definition of the dot product, one kernel per kind of processor, and their
//! selection.
//!
//! # Definition
//! Floating-point sums depend on their order, so the order is part of the score. Sixteen lanes
//! `a[0..16]` start from zero. For `d` ascending, `a[d % 16] = fma(row[d], query[d], a[d %
//! 16])`, each rounded once. Then the lanes are folded in halves: `a[l] += a[l + 8]`, `a[l] +=
//! a[l + 4]`, `a[l] += a[l + 2]`, `a[0] + a[1]`. A dim that is not a multiple of 16 is padded
//! with zeros.
//!
//! This is one register of AVX-512, two of AVX2, four of NEON. Every kernel keeps exactly these
//! lanes for every pair of row and query; kernels differ only in how many pairs are in flight.
//! f16 widens to f32 without rounding and addition is commutative, so the bits agree; tests
//! compare them. The error is that of 16 sums of dim / 16 products: below dim / 16 + 4 units of
//! 2^-24, relative to the sum of the magnitudes.
//!
//! # Kernels
//! `avx512` and `avx2` use intrinsics. On aarch64, fused multiply-add is part of the baseline
//! and `portable` is the NEON kernel: its loop in `dots` compiles to sixteen `fmla` of four
//! lanes per step with all sums in registers (according to the output of LLVM 22; not run on
//! such a machine yet).
//!
//! # Unsafe code
//! Calls of processor-specific code are here, in the three methods of [`Kernel`]; loads and
//! stores are in `registers`. The kernels themselves are safe code.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod portable;
#[cfg(target_arch = "x86_64")]
mod registers;

use half::f16;

pub(super) use pack::Pack;

/// Values multiplied at a time.
pub(super) const LANES: usize = 16;

/// Rows, or queries, side by side in a [`Step`].
pub(super) const GROUP: usize = 4;

/// Prefetch distance in bytes for rows that are read in sequence. Of 2, 4, 8 and 16 KiB, 8 hid
/// the latency best (Zen 5: 2.8 ms for 103 MB on one thread, 3.1 ms without).
pub(super) const PREFETCH_DISTANCE: usize = 8 << 10;

/// Sixteen values of each of four vectors: what a kernel loads at each step along the dim.
/// Aligned so that no load crosses a cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Step(pub(super) [[f32; LANES]; GROUP]);

impl Step {
    /// Padding, after the end of a vector or in place of a missing one.
    pub(super) const ZERO: Step = Step([[0.0; LANES]; GROUP]);
}

/// Scores of four rows (inner) with four queries (outer).
pub(super) type Scores = [[f32; GROUP]; GROUP];

/// See [`Kernel::single`].
type Single = unsafe fn(&[f16], usize, (&[Step], usize), usize, &mut [f32]);

/// The kernels of one kind of processor.
///
/// Invariant: the running processor has every feature that the three functions are compiled for.
/// The fields are private, and only [`available`](Self::available) creates values of this type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    name: &'static str,
    widen: unsafe fn(&[f16], usize, &mut [Step]),
    dots: unsafe fn(&[Step], &[Step]) -> Scores,
    single: Single,
}

const PORTABLE: Kernel = Kernel {
    name: "portable",
    widen: portable::widen,
    dots: portable::dots,
    single: portable::single,
};

impl Kernel {
    /// The name: `avx512`, `avx2` or `portable`.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The fastest kernel that this processor runs. Costs a load: detection runs once per
    /// process.
    pub(super) fn best() -> Kernel {
        Self::available().next().unwrap_or(PORTABLE)
    }

    /// All kernels that this processor runs, the fastest first.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn available() -> impl Iterator<Item = Kernel> {
        let avx512 = is_x86_feature_detected!("avx512f").then_some(Kernel {
            name: "avx512",
            widen: avx512::widen,
            dots: avx512::dots,
            single: avx512::single,
        });
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let avx2 = avx2.then_some(Kernel {
            name: "avx2",
            widen: avx2::widen,
            dots: avx2::dots,
            single: avx2::single,
        });
        [avx512, avx2, Some(PORTABLE)].into_iter().flatten()
    }

    /// All kernels that this processor runs, the fastest first.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn available() -> impl Iterator<Item = Kernel> {
        std::iter::once(PORTABLE)
    }

    /// Widens `rows`, at most [`GROUP`] of `dim` values, into `steps`, one per sixteen values of
    /// the dim.
    pub(super) fn widen(&self, rows: &[f16], dim: usize, steps: &mut [Step]) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.widen)(rows, dim, steps) }
    }

    /// The scores of four rows with four queries, over as many steps as the shorter side has.
    pub(super) fn dots(&self, rows: &[Step], queries: &[Step]) -> Scores {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.dots)(rows, queries) }
    }

    /// Writes the scores of `rows` (n, `dim`) with one vector of a group to `scores`. Prefetches
    /// the values `distance` bytes ahead: [`PREFETCH_DISTANCE`], or the distance to the next
    /// row.
    pub(super) fn single(
        &self,
        rows: &[f16],
        dim: usize,
        query: (&[Step], usize),
        distance: usize,
        scores: &mut [f32],
    ) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.single)(rows, dim, query, distance, scores) }
    }
}

/// The last part of the definition: folds sixteen lanes in halves.
fn fold(lanes: &[f32; LANES]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|l| lanes[l] + lanes[l + 8]);
    let four: [f32; 4] = std::array::from_fn(|l| eight[l] + eight[l + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// The values after the last whole sixteen of a row, padded with zeros.
fn padded(rest: &[f16]) -> [f16; LANES] {
    let mut lanes = [f16::ZERO; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cfg(test)]
mod tests;
