//! The kernel for processors with AVX-512 VNNI: registers of 64 codes.
//!
//! `vpdpbusd` multiplies unsigned bytes by signed ones. In `fine` the codes are the unsigned
//! side, with 128 added (by flipping their sign bit); in `coarse` the queries are, and a panel
//! holds them that way. The contribution of the 128 is subtracted.

use std::arch::x86_64::*;
use std::array;

use super::super::Codes;
use super::super::query::Query;
use super::CoarseHit;
use super::panel::{Panel, Quads, SIXTEEN, Thresholds};
use super::registers::avx512::{load, load_lanes, load_quads, prefetch};

/// See [`super::Kernel::fine`].
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn fine(rows: &[i8], dim: usize, query: &Query, sums: &mut [i32]) {
    let sign = _mm512_set1_epi8(i8::MIN);
    let bits = _mm_cvtsi32_si128(query.bits as i32);
    let whole = |high, low| _mm512_add_epi32(_mm512_sll_epi32(high, bits), low);
    for (row, sum) in rows.chunks_exact(dim).zip(sums) {
        let (lines, rest) = row.as_chunks();
        let [mut high, mut low] = [_mm512_setzero_si512(); 2];
        for ((line, high_part), low_part) in lines.iter().zip(&query.high).zip(&query.low) {
            prefetch(line);
            let codes = _mm512_xor_si512(load(line), sign);
            high = _mm512_dpbusd_epi32(high, codes, load(high_part));
            low = _mm512_dpbusd_epi32(low, codes, load(low_part));
        }
        let last = (query.high.get(lines.len()), query.low.get(lines.len()));
        if let (Some(high_part), Some(low_part)) = last {
            let codes = _mm512_xor_si512(load(&padded(rest)), sign);
            high = _mm512_dpbusd_epi32(high, codes, load(high_part));
            low = _mm512_dpbusd_epi32(low, codes, load(low_part));
        }
        *sum = _mm512_reduce_add_epi32(whole(high, low)).wrapping_sub(query.added);
    }
}

/// See [`super::Kernel::coarse`].
///
/// Chooses rows and groups per tile so that the sums and one quad of each group fill the 32
/// registers; the quads of a group stream from the first-level cache.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn coarse(
    codes: Codes<'_>,
    panel: &Panel,
    thresholds: &[Thresholds],
    hits: &mut Vec<CoarseHit>,
) {
    match thresholds.len() {
        0 => {}
        1 => by_tiles::<12, 1>(codes, panel, thresholds, hits),
        2 => by_tiles::<12, 2>(codes, panel, thresholds, hits),
        3 => by_tiles::<8, 3>(codes, panel, thresholds, hits),
        _ => by_tiles::<6, 4>(codes, panel, thresholds, hits),
    }
}

/// Scans `R` rows at a time with `G` groups; with more groups, the rows again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn by_tiles<const R: usize, const G: usize>(
    codes: Codes<'_>,
    panel: &Panel,
    thresholds: &[Thresholds],
    hits: &mut Vec<CoarseHit>,
) {
    let dim = panel.dim;
    let rows =
        codes.codes.chunks(R * dim).zip(codes.scales.chunks(R).zip(codes.error_bounds.chunks(R)));
    for (first, (codes, (scales, error_bounds))) in (0..).step_by(R).zip(rows) {
        let tile = Tile::<R>::new(dim, codes, scales, error_bounds, panel);
        for (at, thresholds) in (0..).step_by(G).zip(thresholds.chunks(G)) {
            // After the last group comes the last group again, whose sums are unused.
            let group = |g: usize| (at + g).min(panel.steps.len() - 1);
            let quads: [_; G] = array::from_fn(|g| panel.quads(group(g)));
            let sums = tile.products(quads);
            for (r, (sums, (&scale, &width))) in
                sums.iter().zip(scales.iter().zip(&tile.widths)).enumerate()
            {
                for (g, thresholds) in thresholds.iter().enumerate() {
                    let product = _mm512_mul_ps(
                        _mm512_cvtepi32_ps(sums[g]),
                        load_lanes(&panel.steps[at + g]),
                    );
                    let upper =
                        _mm512_fmadd_ps(product, _mm512_set1_ps(scale), _mm512_set1_ps(width));
                    // Not less, so that a NaN bound, which is unknown, reaches.
                    let reach = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(upper, load_lanes(thresholds));
                    let queries = reach & panel.valid(at + g);
                    if queries != 0 {
                        let (row, group) = (first + r as u32, (at + g) as u32);
                        hits.push(CoarseHit { row, group, queries });
                    }
                }
            }
        }
    }
}

/// Rows of codes, with what does not depend on the query.
struct Tile<'a, const R: usize> {
    /// Padded with the last row.
    rows: [&'a [i8]; R],
    /// The contribution of the queries' 128, to be subtracted.
    added: [i32; R],
    widths: [f32; R],
}

impl<'a, const R: usize> Tile<'a, R> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn new(
        dim: usize,
        codes: &'a [i8],
        scales: &[f32],
        error_bounds: &[f32],
        panel: &Panel,
    ) -> Self {
        let last = scales.len() - 1;
        let mut tile = Tile {
            rows: array::from_fn(|r| &codes[r.min(last) * dim..][..dim]),
            added: [0; R],
            widths: [0.0; R],
        };
        for (r, (&scale, &error_bound)) in scales.iter().zip(error_bounds).enumerate() {
            let (sum, squares) = sums(tile.rows[r]);
            tile.added[r] = 128 * sum;
            tile.widths[r] = panel.width(scale, error_bound, squares);
        }
        tile
    }

    /// The products of each row with each group.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn products<const G: usize>(&self, quads: [&[[Quads; SIXTEEN]]; G]) -> [[__m512i; G]; R] {
        let mut sums: [[__m512i; G]; R] =
            array::from_fn(|r| [_mm512_set1_epi32(self.added[r].wrapping_neg()); G]);
        let rows = self.rows.map(<[i8]>::as_chunks::<64>);
        for at in 0..quads[0].len() {
            let quads = array::from_fn(|g| &quads[g][at]);
            if at < rows[0].0.len() {
                add_line(&mut sums, array::from_fn(|r| fours(&rows[r].0[at])), quads);
            } else {
                let padded: [[i8; 64]; R] = array::from_fn(|r| padded(rows[r].1));
                add_line(&mut sums, array::from_fn(|r| fours(&padded[r])), quads);
            }
        }
        sums
    }
}

/// A line of codes as groups of four.
#[inline(always)]
fn fours(line: &[i8; 64]) -> &[[i8; 4]; SIXTEEN] {
    // 64 is sixteen times 4, so there is no remainder and always a first chunk.
    line.as_chunks().0.first_chunk().unwrap_or(&[[0; 4]; SIXTEEN])
}

/// Adds the products of a line of each row with each group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_line<const R: usize, const G: usize>(
    sums: &mut [[__m512i; G]; R],
    rows: [&[[i8; 4]; SIXTEEN]; R],
    quads: [&[Quads; SIXTEEN]; G],
) {
    for at in 0..SIXTEEN {
        let quads: [__m512i; G] = array::from_fn(|g| load_quads(&quads[g][at]));
        for (sums, row) in sums.iter_mut().zip(rows) {
            let codes = i32::from_le_bytes(row[at].map(i8::cast_unsigned));
            let codes = _mm512_set1_epi32(codes);
            for (sum, quad) in sums.iter_mut().zip(quads) {
                *sum = _mm512_dpbusd_epi32(*sum, quad, codes);
            }
        }
    }
}

/// The sum of a row's codes, and of their squares.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sums(row: &[i8]) -> (i32, i32) {
    let ones = _mm512_set1_epi8(1);
    let [mut sum, mut squares] = [_mm512_setzero_si512(); 2];
    let (lines, rest) = row.as_chunks();
    for line in lines.iter().chain((!rest.is_empty()).then_some(&padded(rest))) {
        prefetch(line);
        let codes = load(line);
        let size = _mm512_abs_epi8(codes); // no code is -128, whose absolute value overflows
        sum = _mm512_dpbusd_epi32(sum, ones, codes);
        squares = _mm512_dpbusd_epi32(squares, size, size);
    }
    (_mm512_reduce_add_epi32(sum), _mm512_reduce_add_epi32(squares))
}

/// The codes after the last whole line of a row, padded with zeros.
fn padded(rest: &[i8]) -> [i8; 64] {
    let mut line = [0; 64];
    line[..rest.len()].copy_from_slice(rest);
    line
}
