//! The coefficients of one block, sequential or progressive (T.81, F.2.2 and G.1.2).

use super::bits::Bits;
use super::huffman::{END, Table};
use super::idct::Block;
use super::scan::{Scan, State};

/// The row and column of each coefficient, as a position in a block, in zigzag order.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A quantization table, in zigzag order. Products wrap to 16 bits, as in libjpeg.
pub(super) type Quantization = [i16; 64];

/// Reads a block of a sequential scan, dequantized. `block` must be zero. Returns whether it has
/// no AC coefficient.
#[inline(never)]
pub(super) fn sequential(
    bits: &mut Bits<'_, '_>,
    [dc, ac]: [&Table; 2],
    last_dc: &mut i32,
    quantization: &Quantization,
    block: &mut Block,
) -> Option<bool> {
    bits.in_registers(|bits| {
        block[0] = (next_dc(bits, dc, last_dc)? as i16).wrapping_mul(quantization[0]);
        let mut k = 1;
        let mut only_dc = true;
        while k < 64 {
            let (zeros, value) = ac.run(bits)?;
            k += zeros as usize;
            if k > 63 {
                // Zeros beyond the block are invalid.
                return (k > END as usize).then_some(only_dc);
            }
            block[usize::from(ZIGZAG[k]) & 63] = (value as i16).wrapping_mul(quantization[k]);
            only_dc = false;
            k += 1;
        }
        Some(only_dc)
    })
}

/// Reads a DC difference and returns the value.
#[inline(always)]
fn next_dc(bits: &mut Bits<'_, '_>, table: &Table, last: &mut i32) -> Option<i32> {
    let size = table.symbol(bits)?;
    if size > 15 {
        return None;
    }
    *last = last.wrapping_add(bits.value(size.into()));
    Some(*last)
}

/// Reads what a progressive scan has of a block. `component` is the position in the scan.
pub(super) fn progressive(
    bits: &mut Bits<'_, '_>,
    scan: &Scan,
    [dc, ac]: [Option<&Table>; 2],
    state: &mut State,
    component: usize,
    block: &mut [i16; 64],
) -> Option<()> {
    let ([first, _], [before, bit]) = (scan.band, scan.bit);
    match (first, before) {
        (0, 0) => block[0] = (next_dc(bits, dc?, &mut state.dc[component])? << bit) as i16,
        (0, _) => block[0] |= i16::from(bits.bit()) << bit,
        (_, 0) => first_bits(bits, scan, ac?, &mut state.ended, block)?,
        _ => next_bit(bits, scan, ac?, &mut state.ended, block)?,
    }
    Some(())
}

/// The first scan of AC coefficients.
fn first_bits(
    bits: &mut Bits<'_, '_>,
    scan: &Scan,
    table: &Table,
    ended: &mut u32,
    block: &mut [i16; 64],
) -> Option<()> {
    if *ended > 0 {
        *ended -= 1;
        return Some(());
    }
    let [mut k, last] = scan.band;
    while k <= last {
        let symbol = table.symbol(bits)?;
        let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
        if size == 0 && zeros < 15 {
            *ended = (1 << zeros) - 1 + bits.bits(zeros.into());
            break;
        }
        k += usize::from(zeros);
        if size > 0 {
            let position = usize::from(*ZIGZAG.get(k)?);
            block[position] = (bits.value(size) << scan.bit[1]) as i16;
        }
        k += 1;
    }
    Some(())
}

/// A further bit of AC coefficients: of those that are not zero, and new ones.
fn next_bit(
    bits: &mut Bits<'_, '_>,
    scan: &Scan,
    table: &Table,
    ended: &mut u32,
    block: &mut [i16; 64],
) -> Option<()> {
    let one = 1i16 << scan.bit[1];
    let [mut k, last] = scan.band;
    while k <= last && *ended == 0 {
        let symbol = table.symbol(bits)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        let new = match (size, zeros) {
            (0, 15) => 0,
            (0, _) => {
                *ended = (1 << zeros) + bits.bits(zeros.into());
                break;
            }
            (1, _) if bits.bit() => one,
            (1, _) => -one,
            _ => return None,
        };
        while k <= last {
            let value = &mut block[usize::from(ZIGZAG[k])];
            if *value != 0 {
                refine(bits, value, one);
            } else if zeros == 0 {
                *value = new;
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        k += 1;
    }
    if *ended > 0 {
        for &position in ZIGZAG.get(k..=last).unwrap_or_default() {
            let value = &mut block[usize::from(position)];
            if *value != 0 {
                refine(bits, value, one);
            }
        }
        *ended -= 1;
    }
    Some(())
}

/// Reads the bit `one` of `value`, away from zero.
fn refine(bits: &mut Bits<'_, '_>, value: &mut i16, one: i16) {
    if bits.bit() && *value & one == 0 {
        *value = value.wrapping_add(if *value > 0 { one } else { -one });
    }
}
