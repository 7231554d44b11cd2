//! The weighted sums of a resize, in 32 bits. The two inner loops are also compiled for
//! AVX2, which runs where the processor has it.

use super::kernel::{BITS, LANES, WeightTable};

/// One half, the initial value of a sum: it makes the shift of [`round`] round.
pub(super) const HALF: i32 = 1 << (BITS - 1);

/// Rounds a sum that began at [`HALF`] and clips it to 0..=255.
pub(super) fn round(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Returns the weighted sum of the pixels of `row` from number `first`. Padding weights,
/// which are zero, may reach beyond the end of the row.
#[inline(always)]
pub(super) fn dot(row: &[u8], first: usize, weights: &[i32]) -> [i32; 3] {
    let available = &row[3 * first..];
    let mut sums = [0i32; LANES];
    let mut add = |pixels: &[u8; LANES], weights: &[i32; LANES]| {
        for lane in 0..LANES {
            let product = i32::from(pixels[lane]).wrapping_mul(weights[lane]);
            sums[lane] = sums[lane].wrapping_add(product);
        }
    };
    let (pixels, rest) = available[..available.len().min(weights.len())].as_chunks::<LANES>();
    let (weights, _) = weights.as_chunks::<LANES>();
    pixels.iter().zip(weights).for_each(|(pixels, weights)| add(pixels, weights));
    if let (false, Some(weights)) = (rest.is_empty(), weights.get(pixels.len())) {
        let mut filled = [0; LANES];
        filled[..rest.len()].copy_from_slice(rest);
        add(&filled, weights);
    }
    let half: [i32; 12] = fold_halves(&sums);
    let quarter: [i32; 6] = fold_halves(&half);
    fold_halves(&quarter)
}

/// Adds each value of the second half to its counterpart in the first.
#[inline(always)]
fn fold_halves<const N: usize, const M: usize>(values: &[i32; N]) -> [i32; M] {
    std::array::from_fn(|lane| values[lane].wrapping_add(values[lane + M]))
}

#[inline(always)]
fn weigh_row_generic(source: &[u8], offset: usize, table: &WeightTable, out: &mut [u8]) {
    for ((first, part), out) in table.pixels.iter().zip(out.as_chunks_mut::<3>().0) {
        let sums = dot(source, first - offset, &table.weights[part.clone()]);
        *out = sums.map(|sum| round(sum.wrapping_add(HALF)));
    }
}

#[inline(always)]
fn add_weighted_generic(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
    for (row, &weight) in weights.iter().enumerate() {
        for (sum, &value) in sums.iter_mut().zip(&source[row * line..]) {
            *sum = sum.wrapping_add(i32::from(value).wrapping_mul(weight));
        }
    }
}

/// Computes the pixels of `table` from one row of the source.
pub(super) fn weigh_row(source: &[u8], offset: usize, table: &WeightTable, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { weigh_row_avx2(source, offset, table, out) };
    }
    weigh_row_generic(source, offset, table, out);
}

/// Adds one row of the source for each of `weights` to `sums`; rows are `line` values apart.
pub(super) fn add_weighted(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { add_weighted_avx2(sums, source, line, weights) };
    }
    add_weighted_generic(sums, source, line, weights);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn weigh_row_avx2(source: &[u8], offset: usize, table: &WeightTable, out: &mut [u8]) {
    weigh_row_generic(source, offset, table, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_weighted_avx2(sums: &mut [i32], source: &[u8], line: usize, weights: &[i32]) {
    add_weighted_generic(sums, source, line, weights);
}
