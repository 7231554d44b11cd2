//! Huffman tables (T.81, annexes C and F.2.2.3).

use super::bits::{Bits, extend};

/// The length of the codes that a table looks up. Longer ones are rare.
const SHORT: u32 = 11;
const ENTRIES: usize = 1 << SHORT;

/// The end of a block, as a run of zeros.
pub(super) const END: u32 = 64;

/// A run of zeros and the coefficient after it.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    value: i16,
    /// The number of zeros; [`END`] at the end of a block.
    zeros: u8,
    /// The bits of the code and the value; 0 if they are not all among the first [`SHORT`].
    bits: u8,
}

/// A Huffman table.
#[derive(Debug)]
pub(super) struct Table {
    /// By the next [`SHORT`] bits: symbol and length of the code, or 0 for a longer one.
    symbols: Box<[[u8; 2]; ENTRIES]>,
    /// By the next [`SHORT`] bits: the coefficient, if the table is one of AC coefficients.
    runs: Box<[Run; ENTRIES]>,
    /// By length: the first code after those of this length, aligned to 16 bits.
    ends: [u32; 17],
    /// By length: the position of a code of this length among the symbols, less the code.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// Creates a table from the number of codes of each length, 1 to 16, and their symbols.
    /// Returns `None` if the codes do not fit into their lengths.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut table = Table {
            symbols: Box::new([[0; 2]; ENTRIES]),
            runs: Box::new([Run::default(); ENTRIES]),
            ends: [0; 17],
            offsets: [0; 17],
            values: values.to_vec(),
        };
        let (mut code, mut position) = (0u32, 0);
        for (length, &count) in (1u32..).zip(counts) {
            table.offsets[length as usize] = position as i32 - code as i32;
            for &symbol in values.get(position..position + usize::from(count))? {
                if code >= 1 << length {
                    return None;
                }
                if length <= SHORT {
                    table.look_up(code, length, symbol);
                }
                code += 1;
                position += 1;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Fills the entries that begin with `code`.
    fn look_up(&mut self, code: u32, length: u32, symbol: u8) {
        let left = SHORT - length;
        let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
        for after in 0..1 << left {
            let index = ((code << left) | after) as usize;
            self.symbols[index] = [symbol, length as u8];
            let bits = (length + size) as u8;
            self.runs[index] = match (zeros, size) {
                (0, 0) => Run { value: 0, zeros: END as u8, bits },
                (15, 0) => Run { value: 0, zeros, bits },
                (_, 1..) if size <= left => {
                    let value = extend(after >> (left - size), size) as i16;
                    Run { value, zeros, bits }
                }
                _ => Run::default(),
            };
        }
    }

    /// Reads a symbol.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_, '_>) -> Option<u8> {
        bits.refill();
        let [symbol, length] = self.symbols[bits.peek(SHORT) as usize];
        if length == 0 {
            return self.long_symbol(bits);
        }
        bits.skip(length.into());
        Some(symbol)
    }

    /// Reads a symbol whose code has more than [`SHORT`] bits.
    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_, '_>) -> Option<u8> {
        let next = bits.peek(16);
        let length = (SHORT + 1..=16).find(|&length| next < self.ends[length as usize])?;
        let code = (next >> (16 - length)) as i32;
        bits.skip(length);
        let position = usize::try_from(code + self.offsets[length as usize]).ok()?;
        self.values.get(position).copied()
    }

    /// Reads a coefficient of a sequential scan: the number of zeros before it, and its value.
    /// The value is 0 after 15 zeros or [`END`].
    #[inline(always)]
    pub(super) fn run(&self, bits: &mut Bits<'_, '_>) -> Option<(u32, i32)> {
        bits.refill();
        let run = self.runs[bits.peek(SHORT) as usize];
        if run.bits != 0 {
            bits.skip(run.bits.into());
            return Some((run.zeros.into(), run.value.into()));
        }
        let symbol = self.symbol(bits)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (0, 0) => Some((END, 0)),
            (15, 0) => Some((15, 0)),
            (_, 0) => None,
            _ => Some((zeros, bits.value(size))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::Input;
    use super::*;

    /// Codes 0, 10, 110, ... of lengths 1 to 16.
    #[test]
    fn codes_of_all_lengths_are_read() {
        let values: Vec<u8> = (1..=16).collect();
        let table = Table::new(&[1; 16], &values).unwrap();
        for length in 1..=16u32 {
            let code = 0xffffu32 << (17 - length) & 0xffff;
            let data = [(code >> 8) as u8, code as u8, 0, 0];
            let stuffed: Vec<u8> =
                data.iter().flat_map(|&b| if b == 255 { vec![255, 0] } else { vec![b] }).collect();
            let mut input = Input::new(&stuffed);
            let mut bits = Bits::new(&mut input);
            assert_eq!(table.symbol(&mut bits), Some(length as u8));
            assert_eq!(bits.bits(8), 0, "{length}");
        }
        let mut ones = Input::new(&[255, 0, 255, 0, 255, 0]);
        assert_eq!(table.symbol(&mut Bits::new(&mut ones)), None);
    }

    #[test]
    fn too_many_codes_or_too_few_symbols_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1]).is_none());
        assert!(Table::new(&counts, &[1, 2]).is_some());
    }

    #[test]
    fn runs_are_those_of_the_symbols() {
        // 0: end of block, 10: fifteen zeros, 110: two zeros and two bits, 1110: seven of ten bits.
        let mut counts = [0; 16];
        counts[..4].copy_from_slice(&[1, 1, 1, 1]);
        let table = Table::new(&counts, &[0x00, 0xf0, 0x22, 0x7a]).unwrap();
        // 110 10 10 1110 0000000001 0
        let mut input = Input::new(&[0b1101_0101, 0b1100_0000, 0b0000_1000]);
        let mut bits = Bits::new(&mut input);
        let runs: Vec<_> = (0..4).map(|_| table.run(&mut bits).unwrap()).collect();
        assert_eq!(runs, [(2, 2), (15, 0), (7, -1022), (END, 0)]);
    }
}
