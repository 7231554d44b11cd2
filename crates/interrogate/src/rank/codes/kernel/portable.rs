//! The kernel for every processor.
//!
//! One loop, which the compiler turns into vectors: `pmaddwd` on any x86-64,
//! wider under AVX2, and `sdot` on aarch64 with the dot product extension (that
//! one has not been run).

use super::super::Codes;
use super::super::query::{LINE, Query};
use super::Reached;
use super::panel::{Limits, Panel, WIDTH};

/// See [`super::Kernel::fine`].
pub(super) fn fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
    fine_by(dot, rows, dim, query, sums);
}

/// See [`super::Kernel::reach`].
pub(super) fn reach(
    codes: Codes<'_>,
    panel: &Panel,
    limits: &[Limits],
    reached: &mut Vec<Reached>,
) {
    reach_by(dot, codes, panel, limits, reached);
}

/// The same for a processor of that extension: no more than the code above,
/// compiled anew.
macro_rules! compiled_for {
    ($features:literal, $fine:ident, $reach:ident) => {
        #[target_feature(enable = $features)]
        pub(super) fn $fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
            fine_by(dot, rows, dim, query, sums);
        }

        #[target_feature(enable = $features)]
        pub(super) fn $reach(
            codes: Codes<'_>,
            panel: &Panel,
            limits: &[Limits],
            reached: &mut Vec<Reached>,
        ) {
            reach_by(dot, codes, panel, limits, reached);
        }
    };
}

#[cfg(target_arch = "x86_64")]
compiled_for!("avx2", fine_avx2, reach_avx2);
#[cfg(target_arch = "aarch64")]
compiled_for!("dotprod", fine_dotprod, reach_dotprod);

/// [`super::Kernel::fine`] by any product.
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

/// [`super::Kernel::reach`] by any product.
#[inline(always)]
pub(super) fn reach_by(
    dot: impl Fn(&[i8], &[[i8; LINE]]) -> i32,
    codes: Codes<'_>,
    panel: &Panel,
    limits: &[Limits],
    reached: &mut Vec<Reached>,
) {
    let rows = codes.codes.chunks_exact(panel.dim);
    for (row, (codes, (&scale, &slack))) in
        (0..).zip(rows.zip(codes.scales.iter().zip(codes.slack)))
    {
        let width = panel.width(scale, slack, squares(codes));
        for (group, (limits, high)) in (0..).zip(limits.iter().zip(panel.high.chunks(WIDTH))) {
            let mut queries = 0;
            for (lane, high) in high.iter().enumerate() {
                let product = dot(codes, high) as f32 * panel.steps[group as usize][lane];
                // What is not a number is unknown, and reaches.
                let short = product * scale + width < limits[lane];
                queries |= u16::from(!short) << lane;
            }
            if queries != 0 {
                reached.push(Reached { row, group, queries });
            }
        }
    }
}

/// The product of a row of codes and a part of a query.
#[inline(always)]
fn dot(row: &[i8], part: &[[i8; LINE]]) -> i32 {
    row.iter().zip(part.as_flattened()).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

/// The sum of the squares of a row's codes.
#[inline(always)]
pub(super) fn squares(row: &[i8]) -> i32 {
    row.iter().map(|&code| i32::from(code) * i32::from(code)).sum()
}
