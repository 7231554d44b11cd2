//! Products of codes: one kernel for each kind of processor, and the choice.
//!
//! All of them are of whole numbers in 32 bits, so that every kernel finds the
//! same sums whatever the order of its additions; overflow on the way is no
//! matter, for additions wrap and [`query`](super::query) sees to it that the sum
//! itself fits.
//!
//! - `fine`: rows with both parts of one query, row by row as memory brings them.
//! - `reach`: rows with the high parts of many queries, and which of those pairs
//!   reach their limit. The sums never leave the registers.
//!
//! `avx512` (AVX-512 VNNI) and `avxvnni` are written by hand. On aarch64 the loop
//! in `portable` is compiled for the dot product extension where there is one.
//!
//! # The unsafe code
//! Calls of code for a certain processor are here, in [`Kernel`]'s two methods;
//! loads are in `registers`. The kernels themselves are safe code.

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

/// A row and those of a group of queries whose limits it reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rank) struct CoarseHit {
    /// The row's number among those asked about.
    pub(in crate::rank) row: u32,
    /// The group.
    pub(in crate::rank) group: u32,
    /// A bit for each query of the group.
    pub(in crate::rank) queries: u16,
}

/// The kernels for one kind of processor.
///
/// Invariant: the running processor has every feature that the two functions were
/// compiled with. The fields are private to this module, and
/// [`available`](Self::available) alone makes a value of this type.
#[derive(Clone, Copy, Debug)]
pub(in crate::rank) struct Kernel {
    name: &'static str,
    fine: unsafe fn(&[i8], usize, &Query, &mut [i32]),
    coarse: unsafe fn(Codes<'_>, &Panel, &[Thresholds], &mut Vec<CoarseHit>),
}

const PORTABLE: Kernel =
    Kernel { name: "portable", fine: portable::fine, coarse: portable::coarse };

impl Kernel {
    /// What it is for: `avx512`, `avxvnni`, `avx2`, `dotprod` or `portable`.
    pub(in crate::rank) fn name(&self) -> &'static str {
        self.name
    }

    /// The fastest that this processor runs.
    pub(in crate::rank) fn best() -> Kernel {
        Self::available().next().unwrap_or(PORTABLE)
    }

    /// All that this processor runs, the fastest first.
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

    /// All that this processor runs, the fastest first.
    #[cfg(target_arch = "aarch64")]
    pub(in crate::rank) fn available() -> impl Iterator<Item = Kernel> {
        let dotprod = std::arch::is_aarch64_feature_detected!("dotprod").then_some(Kernel {
            name: "dotprod",
            fine: portable::fine_dotprod,
            coarse: portable::coarse_dotprod,
        });
        [dotprod, Some(PORTABLE)].into_iter().flatten()
    }

    /// All that this processor runs, the fastest first.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(in crate::rank) fn available() -> impl Iterator<Item = Kernel> {
        std::iter::once(PORTABLE)
    }

    /// The products `2^bits (high.row) + low.row` of rows of `dim` codes with
    /// `query`, one after the other into `sums`.
    pub(in crate::rank) fn fine(&self, rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
        // SAFETY: by the type's invariant the processor has the features.
        unsafe { (self.fine)(rows, dim, query, sums) }
    }

    /// Appends to `reached` the rows of `codes` that reach a limit, in no certain
    /// order; `limits` are one for each group of `panel`.
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
