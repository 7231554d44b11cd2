//! Products of codes: one kernel per kind of processor, and their selection.
//!
//! Products are of integers in 32 bits, so that every kernel computes the same sums in any
//! order. Intermediate overflow wraps and does no harm, because [`query`](super::query) makes
//! the final sum fit.
//!
//! - `fine`: products of rows with both parts of one query, in the order of memory.
//! - `coarse`: products of rows with the high parts of many queries, returning the pairs that
//!   reach their threshold. The sums stay in registers.
//!
//! `avx512` (AVX-512 VNNI) and `avxvnni` use intrinsics. On aarch64 the loop in `portable` is
//! compiled for the dot product extension if the processor has it.
//!
//! # Unsafe code
//! Calls of processor-specific code are here, in the two methods of [`Kernel`]; loads are in
//! `registers`. The kernels themselves are safe code.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
mod panel;
mod portable;
#[cfg(target_arch = "x86_64")]
mod registers;

pub(in crate::rank) use panel::{Panel, Thresholds, WIDTH};

use super::Codes;
use super::query::Query;

/// A row, and the queries of a group whose threshold it reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rank) struct CoarseHit {
    /// The row number within the scanned codes.
    pub(in crate::rank) row: u32,
    /// The group.
    pub(in crate::rank) group: u32,
    /// One bit per query of the group.
    pub(in crate::rank) queries: u16,
}

/// The kernels of one kind of processor.
///
/// Invariant: the running processor has every feature that the two functions are compiled for.
/// The fields are private, and only [`available`](Self::available) creates values of this type.
#[derive(Clone, Copy, Debug)]
pub(in crate::rank) struct Kernel {
    name: &'static str,
    fine: unsafe fn(&[i8], usize, &Query, &mut [i32]),
    coarse: unsafe fn(Codes<'_>, &Panel, &[Thresholds], &mut Vec<CoarseHit>),
}

const PORTABLE: Kernel =
    Kernel { name: "portable", fine: portable::fine, coarse: portable::coarse };

impl Kernel {
    /// The name: `avx512`, `avxvnni`, `avx2`, `dotprod` or `portable`.
    pub(in crate::rank) fn name(&self) -> &'static str {
        self.name
    }

    /// The fastest kernel that this processor runs.
    pub(in crate::rank) fn best() -> Kernel {
        Self::available().next().unwrap_or(PORTABLE)
    }

    /// All kernels that this processor runs, the fastest first.
    #[cfg(target_arch = "x86_64")]
    pub(in crate::rank) fn available() -> impl Iterator<Item = Kernel> {
        let avx512 = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
        let avx512 =
            avx512.then_some(Kernel { name: "avx512", fine: avx512::fine, coarse: avx512::coarse });
        let avxvnni = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni");
        let avxvnni = avxvnni.then_some(Kernel {
            name: "avxvnni",
            fine: avxvnni::fine,
            coarse: avxvnni::coarse,
        });
        let avx2 = is_x86_feature_detected!("avx2").then_some(Kernel {
            name: "avx2",
            fine: portable::fine_avx2,
            coarse: portable::coarse_avx2,
        });
        [avx512, avxvnni, avx2, Some(PORTABLE)].into_iter().flatten()
    }

    /// All kernels that this processor runs, the fastest first.
    #[cfg(target_arch = "aarch64")]
    pub(in crate::rank) fn available() -> impl Iterator<Item = Kernel> {
        let dotprod = std::arch::is_aarch64_feature_detected!("dotprod").then_some(Kernel {
            name: "dotprod",
            fine: portable::fine_dotprod,
            coarse: portable::coarse_dotprod,
        });
        [dotprod, Some(PORTABLE)].into_iter().flatten()
    }

    /// All kernels that this processor runs, the fastest first.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(in crate::rank) fn available() -> impl Iterator<Item = Kernel> {
        std::iter::once(PORTABLE)
    }

    /// Writes to `sums` the products `2^bits (high.row) + low.row` of rows of `dim` codes with
    /// `query`.
    pub(in crate::rank) fn fine(&self, rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.fine)(rows, dim, query, sums) }
    }

    /// Appends to `hits` the rows of `codes` that reach a threshold, in no particular order;
    /// `thresholds` has one item per group of `panel`.
    pub(in crate::rank) fn coarse(
        &self,
        codes: Codes<'_>,
        panel: &Panel,
        thresholds: &[Thresholds],
        hits: &mut Vec<CoarseHit>,
    ) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.coarse)(codes, panel, thresholds, hits) }
    }
}

#[cfg(test)]
mod tests;
