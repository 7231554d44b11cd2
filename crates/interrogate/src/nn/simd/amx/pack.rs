//! Packing of f32 values into tiles of bf16 pieces.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{DEPTH, TILE, TILE_LEN};

/// See [`Amx::pack`](super::Amx::pack).
///
/// # Safety
/// The processor must have the extensions, and the slices the lengths that the caller asserts.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn rows<const PIECES: usize>(
    x: &[f32],
    (rows, k): (usize, usize),
    steps: Range<usize>,
    to: *mut f32,
) {
    for (number, row) in x.chunks_exact(k).take(rows).enumerate() {
        let (tile, line) = (number / TILE, number % TILE);
        for (place, step) in steps.clone().enumerate() {
            let mut padded = [0.0; DEPTH];
            let values = match row.get(step * DEPTH..(step + 1) * DEPTH) {
                Some(values) => values,
                None => {
                    let rest = &row[step * DEPTH..];
                    padded[..rest.len()].copy_from_slice(rest);
                    &padded
                }
            };
            let at = ((tile * steps.len() + place) * PIECES) * TILE_LEN + line * TILE;
            // SAFETY: DEPTH values are readable; each piece's line of 64 bytes is within its
            // tile of `to`, by the contract.
            unsafe {
                let halves =
                    (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(TILE)));
                let to = to.add(at);
                if PIECES == 1 {
                    let rounded: __m512i =
                        std::mem::transmute(_mm512_cvtne2ps_pbh(halves.1, halves.0));
                    _mm512_storeu_si512(to.cast(), rounded);
                    continue;
                }
                store_pieces(halves, to, TILE_LEN);
            }
        }
    }
}

/// See [`Amx::split`](super::Amx::split).
///
/// # Safety
/// As for [`rows`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn split(weights: &[f32], to: *mut f32) {
    for (number, line) in weights.chunks_exact(DEPTH).enumerate() {
        let (step, line_of_two_tiles) = (number / DEPTH, number % DEPTH);
        // SAFETY: DEPTH values are readable; a step's three pieces are 3 * 2 tiles, of which
        // this writes one line each, by the contract.
        unsafe {
            let halves = (_mm512_loadu_ps(line.as_ptr()), _mm512_loadu_ps(line.as_ptr().add(TILE)));
            let to = to.add(step * 6 * TILE_LEN + line_of_two_tiles * TILE);
            store_pieces(halves, to, 2 * TILE_LEN);
        }
    }
}

/// Writes the three pieces of 32 values, one cache line each, `stride` f32 values apart.
///
/// # Safety
/// The three lines must be writable.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_pieces(values: (__m512, __m512), to: *mut f32, stride: usize) {
    let (first, rest) = round_to_bf16(values);
    let (second, rest) = round_to_bf16(rest);
    // SAFETY: by the contract.
    unsafe {
        _mm512_storeu_si512(to.cast(), upper_halves(first));
        _mm512_storeu_si512(to.add(stride).cast(), upper_halves(second));
        // At most eight significant bits are left, all in the upper half.
        _mm512_storeu_si512(to.add(2 * stride).cast(), upper_halves(rest));
    }
}

/// Returns the values rounded to bf16, and the exact remainders.
#[target_feature(enable = "avx512f")]
fn round_to_bf16((a, b): (__m512, __m512)) -> ((__m512, __m512), (__m512, __m512)) {
    let round = |v| {
        let up = _mm512_add_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(0x8000));
        _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(!0xffff)))
    };
    let (c, d) = (round(a), round(b));
    ((c, d), (_mm512_sub_ps(a, c), _mm512_sub_ps(b, d)))
}

/// Packs the upper 16 bits of 32 values.
#[target_feature(enable = "avx512f,avx512bw")]
fn upper_halves((a, b): (__m512, __m512)) -> __m512i {
    const ODD: [u16; 32] = {
        let mut odd = [0; 32];
        let mut i = 0;
        while i < 32 {
            odd[i] = 2 * i as u16 + 1;
            i += 1;
        }
        odd
    };
    // SAFETY: ODD is 64 bytes.
    let odd = unsafe { _mm512_loadu_si512(ODD.as_ptr().cast()) };
    _mm512_permutex2var_epi16(_mm512_castps_si512(a), odd, _mm512_castps_si512(b))
}
