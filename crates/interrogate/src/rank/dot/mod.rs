//! The dot product: one definition, one kernel for each kind of processor, and
//! the choice among them.
//!
//! # The definition
//! Floats do not add up to the same bits in another order, so the order is part
//! of the score. With 16 lanes `a[0..16]` from zero, for `d` ascending,
//! `a[d % 16] = fma(row[d], query[d], a[d % 16])`, each rounded once; then the
//! lanes are folded in halves: `a[l] += a[l + 8]`, `a[l] += a[l + 4]`,
//! `a[l] += a[l + 2]`, `a[0] + a[1]`. A dim that is no multiple of 16 goes on
//! with zeros. This is one AVX-512 register, two of AVX2, four of NEON: every
//! kernel keeps exactly these lanes for every pair of row and query, and differs
//! from the others only in how many pairs it has in flight. f16 widens to f32
//! without rounding, and sums of two are commutative, so the bits agree; the
//! tests compare them. The error is that of 16 sums of dim / 16 products:
//! below dim / 16 + 4 units of 2^-24, relative to the sum of the magnitudes.
//!
//! # The kernels
//! `avx512` and `avx2` are written by hand. On aarch64, fused multiply-add is
//! part of the baseline and `portable` is the NEON kernel: its loop in `dots`
//! compiles to sixteen `fmla` of four lanes a step with all sums in registers
//! (read from LLVM 22's output; it has not been run on such a machine).
//!
//! # The unsafe code
//! Calls of code for a certain processor are here, in [`Kernel`]'s three
//! methods; loads and stores are in `registers`. The kernels themselves are safe
//! code.

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

/// Values that are multiplied at a time.
pub(super) const LANES: usize = 16;

/// Rows, and queries, that lie side by side in a [`Step`].
pub(super) const GROUP: usize = 4;

/// How far ahead of what is read the next values are asked for where rows come in
/// one stream: of 2, 4, 8 and 16 KiB, 8 hid its latency best (Zen 5: 2.8 ms for
/// 103 MB on one thread, and 3.1 without).
pub(super) const PREFETCH_DISTANCE: usize = 8 << 10;

/// Sixteen values of each of four vectors: what a kernel loads between two
/// steps along the dim. Aligned so that no load crosses a cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Step(pub(super) [[f32; LANES]; GROUP]);

impl Step {
    /// What stands where a vector has ended or is lacking.
    pub(super) const ZERO: Step = Step([[0.0; LANES]; GROUP]);
}

/// Scores of four rows (inner) with each of four queries (outer).
pub(super) type Scores = [[f32; GROUP]; GROUP];

/// See [`Kernel::single`].
type Single = unsafe fn(&[f16], usize, (&[Step], usize), usize, &mut [f32]);

/// The kernels for one kind of processor.
///
/// Invariant: the running processor has every feature that the three functions
/// were compiled with. The fields are private to this module, and
/// [`available`](Self::available) alone makes a value of this type.
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
    /// What it is for: `avx512`, `avx2` or `portable`.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The fastest that this processor runs. Costs a load: detection is done
    /// once in a process.
    pub(super) fn best() -> Kernel {
        Self::available().next().unwrap_or(PORTABLE)
    }

    /// All that this processor runs, the fastest first.
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

    /// All that this processor runs, the fastest first.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn available() -> impl Iterator<Item = Kernel> {
        std::iter::once(PORTABLE)
    }

    /// Widens `rows`, at most [`GROUP`] of `dim` values, into `steps`, one for
    /// each sixteen of the dim.
    pub(super) fn widen(&self, rows: &[f16], dim: usize, steps: &mut [Step]) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.widen)(rows, dim, steps) }
    }

    /// The scores of four rows with four queries, over as many steps as the
    /// shorter side has.
    pub(super) fn dots(&self, rows: &[Step], queries: &[Step]) -> Scores {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.dots)(rows, queries) }
    }

    /// The scores of `rows`, each of `dim` values, with one vector of a group, one
    /// after the other into `scores`. What lies `ahead` bytes of what is read is
    /// asked for meanwhile: [`PREFETCH_DISTANCE`], or the way to the row that is read next.
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

/// The definition's last part: sixteen lanes folded in halves.
fn fold(lanes: &[f32; LANES]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|l| lanes[l] + lanes[l + 8]);
    let four: [f32; 4] = std::array::from_fn(|l| eight[l] + eight[l + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// The values behind the last whole sixteen of a row, and zeros behind them.
fn padded(rest: &[f16]) -> [f16; LANES] {
    let mut lanes = [f16::ZERO; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cfg(test)]
mod tests;
