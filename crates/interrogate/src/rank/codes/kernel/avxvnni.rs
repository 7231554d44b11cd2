//! The kernel for processors with AVX-VNNI: registers of 32 codes.
//!
//! `vpdpbusd` multiplies unsigned bytes by signed ones. 128 is added to the codes (by flipping
//! their sign bit), and 128 times the sum of the query is subtracted.

use std::arch::x86_64::*;

use super::super::Codes;
use super::super::query::{LINE, Query};
use super::CoarseHit;
use super::panel::{Panel, Thresholds};
use super::portable::{coarse_by, fine_by};
use super::registers::avx2::{load, prefetch};

/// See [`super::Kernel::fine`].
#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
    fine_by(|row, part| dot(row, part), rows, dim, query, sums);
}

/// See [`super::Kernel::coarse`].
#[target_feature(enable = "avx2,avxvnni")]
pub(super) fn coarse(
    codes: Codes<'_>,
    panel: &Panel,
    thresholds: &[Thresholds],
    hits: &mut Vec<CoarseHit>,
) {
    coarse_by(|row, part| dot(row, part), codes, panel, thresholds, hits);
}

#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn dot(row: &[i8], part: &[[i8; LINE]]) -> i32 {
    let (halves, rest) = row.as_chunks::<32>();
    let (parts, _) = part.as_flattened().as_chunks::<32>();
    let mut sum = _mm256_setzero_si256();
    for (codes, part) in halves.iter().zip(parts) {
        prefetch(codes);
        sum = add_product(sum, load(codes), load(part));
    }
    if let (false, Some(part)) = (rest.is_empty(), parts.get(halves.len())) {
        let mut codes = [0; 32];
        codes[..rest.len()].copy_from_slice(rest);
        sum = add_product(sum, load(&codes), load(part));
    }
    // Adds halves, then quarters, then pairs.
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
    _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
}

#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn add_product(sum: __m256i, codes: __m256i, part: __m256i) -> __m256i {
    let sign = _mm256_set1_epi8(i8::MIN);
    let sum = _mm256_dpbusd_avx_epi32(sum, _mm256_xor_si256(codes, sign), part);
    // Subtracts 128 times the sum of the part.
    _mm256_sub_epi32(sum, _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), sign, part))
}
