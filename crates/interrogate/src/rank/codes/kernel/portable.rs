//! The kernel for every processor.
//!
//! One loop, which the compiler vectorizes: `pmaddwd` on any x86-64, wider with AVX2, and `sdot`
//! on aarch64 with the dot product extension (not run on such a machine yet).

use super::super::Codes;
use super::super::query::{LINE, Query};
use super::CoarseHit;
use super::panel::{Panel, Thresholds, WIDTH};

/// See [`super::Kernel::fine`].
pub(super) fn fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
    fine_by(dot, rows, dim, query, sums);
}

/// See [`super::Kernel::coarse`].
pub(super) fn coarse(
    codes: Codes<'_>,
    panel: &Panel,
    thresholds: &[Thresholds],
    hits: &mut Vec<CoarseHit>,
) {
    coarse_by(dot, codes, panel, thresholds, hits);
}

/// Compiles the functions above for a processor extension.
macro_rules! compiled_for {
    ($features:literal, $fine:ident, $coarse:ident) => {
        #[target_feature(enable = $features)]
        pub(super) fn $fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
            fine_by(dot, rows, dim, query, sums);
        }

        #[target_feature(enable = $features)]
        pub(super) fn $coarse(
            codes: Codes<'_>,
            panel: &Panel,
            thresholds: &[Thresholds],
            hits: &mut Vec<CoarseHit>,
        ) {
            coarse_by(dot, codes, panel, thresholds, hits);
        }
    };
}

#[cfg(target_arch = "x86_64")]
compiled_for!("avx2", fine_avx2, coarse_avx2);
#[cfg(target_arch = "aarch64")]
compiled_for!("dotprod", fine_dotprod, coarse_dotprod);

/// [`super::Kernel::fine`] with `dot` as the product.
#[inline(always)]
pub(super) fn fine_by(
    dot: impl Fn(&[i8], &[[i8; LINE]]) -> i32,
    rows: &[i8],
    dim: usize,
    query: &Query,
    sums: &mut [i32],
) {
    for (row, sum) in rows.chunks_exact(dim).zip(sums) {
        let high = dot(row, &query.high) << query.bits;
        *sum = high.wrapping_add(dot(row, &query.low));
    }
}

/// [`super::Kernel::coarse`] with `dot` as the product.
#[inline(always)]
pub(super) fn coarse_by(
    dot: impl Fn(&[i8], &[[i8; LINE]]) -> i32,
    codes: Codes<'_>,
    panel: &Panel,
    thresholds: &[Thresholds],
    hits: &mut Vec<CoarseHit>,
) {
    let rows = codes.codes.chunks_exact(panel.dim);
    for (row, (codes, (&scale, &error_bound))) in
        (0..).zip(rows.zip(codes.scales.iter().zip(codes.error_bounds)))
    {
        let width = panel.width(scale, error_bound, squares(codes));
        for (group, (thresholds, high)) in
            (0..).zip(thresholds.iter().zip(panel.high.chunks(WIDTH)))
        {
            let mut queries = 0;
            for (lane, high) in high.iter().enumerate() {
                let product = dot(codes, high) as f32 * panel.steps[group as usize][lane];
                // A NaN bound is unknown, and reaches.
                let short = product * scale + width < thresholds[lane];
                queries |= u16::from(!short) << lane;
            }
            if queries != 0 {
                hits.push(CoarseHit { row, group, queries });
            }
        }
    }
}

/// The product of a row of codes and a part of a query.
#[inline(always)]
fn dot(row: &[i8], part: &[[i8; LINE]]) -> i32 {
    row.iter().zip(part.as_flattened()).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

/// The sum of a row's squared codes.
#[inline(always)]
pub(super) fn squares(row: &[i8]) -> i32 {
    row.iter().map(|&code| i32::from(code) * i32::from(code)).sum()
}
