//! The inverse transform of a block to 8, 4, 2 or 1 pixels a side.
//!
//! A reduced block is the full one with each square of pixels replaced by its mean, before
//! rounding. The arithmetic is that of libjpeg's jidctint.c and jidctred.c with their factors
//! multiplied out: integers with 13 bits after the point, rounded to 2 bits after the columns and
//! to pixels after the rows. Even basis functions are symmetric about the middle and odd ones
//! antisymmetric, so half of the pixels give the other half.

/// Bits after the point of a basis function.
const BITS: u32 = 13;
/// Bits after the point between columns and rows.
const BETWEEN: u32 = 2;

// The first half of the pixels, by coefficient: the basis functions times the square root of 8,
// and times 4 and 2 for the first two.
const TO_2: [[i32; 8]; 1] = [[32768, 29692, 0, -10426, 0, 6967, 0, -5906]];
const TO_4: [[i32; 8]; 2] = [
    [16384, 20995, 15137, 7373, 0, -4926, -6270, -4176],
    [16384, 8697, -15137, -17799, 0, 11893, 6270, -1730],
];
const TO_8: [[i32; 8]; 4] = [
    [8192, 11363, 10703, 9633, 8192, 6437, 4433, 2260],
    [8192, 9633, 4433, -2259, -8192, -11362, -10704, -6436],
    [8192, 6437, -4433, -11362, -8192, 2261, 10704, 9633],
    [8192, 2260, -10703, -6436, 8192, 9633, -4433, -11363],
];

/// The dequantized coefficients of a block, row by row.
pub(super) type Block = [i16; 64];

/// Writes the pixels of `block`, `side` rows of `side`, to `out`, whose rows are `stride` apart.
/// `only_dc` tells that all other coefficients are zero.
pub(super) fn write(block: &Block, only_dc: bool, side: usize, out: &mut [u8], stride: usize) {
    if only_dc || side == 1 {
        let value = pixel((i32::from(block[0]) + 4) >> 3);
        for row in out.chunks_mut(stride).take(side) {
            row[..side].fill(value);
        }
        return;
    }
    match side {
        2 => transform::<1, 2, 2>(&TO_2, block, out, stride),
        4 => transform::<2, 4, 1>(&TO_4, block, out, stride),
        _ => transform::<4, 8, 0>(&TO_8, block, out, stride),
    }
}

/// Transforms columns, then rows. `HALF` is half of `SIDE`; the basis is scaled by 2 to the power
/// `SCALE`.
#[inline(never)]
fn transform<const HALF: usize, const SIDE: usize, const SCALE: u32>(
    basis: &[[i32; 8]; HALF],
    block: &Block,
    out: &mut [u8],
    stride: usize,
) {
    let (rows, _) = block.as_chunks::<8>();
    let mut narrow = [[0i16; SIDE]; 8];
    let columns: [[i32; 8]; SIDE] = halves(basis, |u| rows[u]);
    for (y, row) in columns.iter().enumerate() {
        for (u, value) in row.iter().enumerate() {
            let value = round(*value, BITS - BETWEEN + SCALE);
            narrow[u][y] = value.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }
    // By column, then row.
    let pixels: [[i32; SIDE]; SIDE] = halves(basis, |u| narrow[u]);
    for (y, row) in out.chunks_mut(stride).take(SIDE).enumerate() {
        for (x, out) in row[..SIDE].iter_mut().enumerate() {
            *out = pixel(round(pixels[x][y], BITS + BETWEEN + 3 + SCALE));
        }
    }
}

/// Returns the outputs of the transform along one axis, for `LANES` sequences at once.
#[inline(always)]
fn halves<const HALF: usize, const SIDE: usize, const LANES: usize>(
    basis: &[[i32; 8]; HALF],
    input: impl Fn(usize) -> [i16; LANES],
) -> [[i32; LANES]; SIDE] {
    let mut out = [[0; LANES]; SIDE];
    for (i, basis) in basis.iter().enumerate() {
        let (mut even, mut odd) = ([0i32; LANES], [0i32; LANES]);
        for (u, &factor) in basis.iter().enumerate() {
            if factor == 0 {
                continue;
            }
            let sums = if u % 2 == 0 { &mut even } else { &mut odd };
            for (sum, value) in sums.iter_mut().zip(input(u)) {
                *sum = sum.wrapping_add(factor.wrapping_mul(value.into()));
            }
        }
        for lane in 0..LANES {
            out[i][lane] = even[lane].wrapping_add(odd[lane]);
            out[SIDE - 1 - i][lane] = even[lane].wrapping_sub(odd[lane]);
        }
    }
    out
}

/// Divides by 2 to the power `bits`, rounding halves up.
#[inline(always)]
fn round(value: i32, bits: u32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

/// Returns a value around zero as a pixel.
#[inline(always)]
fn pixel(value: i32) -> u8 {
    (value + 128).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// The definition (T.81, A.3.3) in f64, reduced by means.
    fn reference(block: &Block, side: usize) -> Vec<f64> {
        let basis = |x: usize, u: usize| {
            let scale = if u == 0 { 0.125f64.sqrt() } else { 0.5 };
            scale * ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos()
        };
        let full = |y: usize, x: usize| -> f64 {
            let term = |i: usize| f64::from(block[i]) * basis(y, i / 8) * basis(x, i % 8);
            (0..64).map(term).sum()
        };
        let group = 8 / side;
        let mean = |i: usize| {
            let (top, left) = (i / side * group, i % side * group);
            let sum: f64 =
                (0..group * group).map(|j| full(top + j / group, left + j % group)).sum();
            sum / (group * group) as f64 + 128.0
        };
        (0..side * side).map(mean).collect()
    }

    #[test]
    fn pixels_are_means_of_the_full_block() {
        let mut seed = 7u32;
        for round in 0..200 {
            let mut block = [0; 64];
            for value in block.iter_mut().take(1 + round % 64) {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (seed >> 24) as i16 - 128;
            }
            for side in [1, 2, 4, 8] {
                let mut out = vec![0; 10 * side];
                write(&block, false, side, &mut out, 10);
                for (i, expected) in reference(&block, side).into_iter().enumerate() {
                    let found = f64::from(out[i / side * 10 + i % side]);
                    let expected = expected.clamp(0.0, 255.0);
                    assert!((found - expected).abs() < 0.6, "{side} {i}: {found}, {expected}");
                }
            }
        }
    }

    #[test]
    fn a_block_of_one_coefficient_is_flat() {
        let mut block = [0; 64];
        block[0] = -260;
        for side in [1, 2, 4, 8] {
            let (mut short, mut long) = (vec![0; 64], vec![0; 64]);
            write(&block, true, side, &mut short, 8);
            write(&block, false, side, &mut long, 8);
            assert_eq!(short, long);
            assert_eq!(short[0], 96); // 128 - 32.5, up
        }
    }
}
