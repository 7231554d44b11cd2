//! The bits of a scan, without stuffed bytes, up to the next marker.

/// The bytes that were not read yet.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    /// The number of zero bits that were read after the last byte.
    padding: u32,
}

/// Reads the bits of entropy-coded data.
///
/// After the last bit zeros follow; [`is_exact`](Self::is_exact) tells whether any was read.
pub(super) struct Bits<'i, 'a> {
    input: &'i mut Input<'a>,
    /// The next bits, from the highest.
    buffer: u64,
    /// The number of bits in `buffer`.
    count: u32,
}

impl<'a> Input<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Input { rest, padding: 0 }
    }

    /// Returns the file from the next marker on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns bytes until there are more than 56 bits, of which `count` are there, without the
    /// zero after 0xff.
    #[cold]
    #[inline(never)]
    fn bytes(&mut self, mut count: u32) -> u64 {
        let mut bits = 0;
        while count <= 56 {
            let byte = match *self.rest {
                [0xff, 0, ref rest @ ..] => {
                    self.rest = rest;
                    0xff
                }
                [byte, ref rest @ ..] if byte != 0xff => {
                    self.rest = rest;
                    byte
                }
                _ => {
                    self.padding += 8;
                    0
                }
            };
            bits |= u64::from(byte) << (56 - count);
            count += 8;
        }
        bits
    }
}

impl<'i, 'a> Bits<'i, 'a> {
    pub(super) fn new(input: &'i mut Input<'a>) -> Self {
        Bits { input, buffer: 0, count: 0 }
    }

    /// Calls `read` with a copy whose buffer can stay in registers.
    #[inline(always)]
    pub(super) fn in_registers<T>(&mut self, read: impl FnOnce(&mut Bits<'_, 'a>) -> T) -> T {
        let mut copy = Bits { input: &mut *self.input, buffer: self.buffer, count: self.count };
        let result = read(&mut copy);
        let Bits { buffer, count, .. } = copy;
        (self.buffer, self.count) = (buffer, count);
        result
    }

    /// Makes at least 32 bits available.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        match self.input.rest.split_first_chunk::<4>() {
            // No byte is 0xff: none of the inverted bytes is zero.
            Some((four, rest)) if !has_zero(!u32::from_be_bytes(*four)) => {
                self.buffer |= u64::from(u32::from_be_bytes(*four)) << (32 - self.count);
                self.count += 32;
                self.input.rest = rest;
            }
            _ => {
                self.buffer |= self.input.bytes(self.count);
                self.count += (64 - self.count) / 8 * 8;
            }
        }
    }

    /// Returns the next `count` bits, 1 to 32, without consuming them. [`refill`](Self::refill)
    /// must have made them available.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    /// Consumes `count` available bits.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count = self.count.wrapping_sub(count);
    }

    /// Returns the next bit.
    #[inline(always)]
    pub(super) fn bit(&mut self) -> bool {
        self.bits(1) != 0
    }

    /// Returns the next `count` bits, 0 to 16.
    #[inline(always)]
    pub(super) fn bits(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        self.refill();
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Returns the next value of `size` bits, 0 to 16, in the code of T.81, table F.1: values
    /// whose first bit is zero are negative.
    #[inline(always)]
    pub(super) fn value(&mut self, size: u32) -> i32 {
        extend(self.bits(size), size)
    }

    /// Returns whether all bits read are in the file.
    #[inline(always)]
    pub(super) fn is_exact(&self) -> bool {
        self.input.padding <= self.count
    }

    /// Consumes the restart marker `number`, which must come next.
    pub(super) fn restart(&mut self, number: u8) -> Option<()> {
        // At most the bits that fill the last byte are left.
        if self.count.saturating_sub(self.input.padding) >= 8 {
            return None;
        }
        let mut rest = self.input.rest;
        while let [0xff, 0xff, ..] = rest {
            rest = &rest[1..];
        }
        *self.input = Input::new(rest.strip_prefix(&[0xff, 0xd0 + number])?);
        (self.buffer, self.count) = (0, 0);
        Some(())
    }
}

/// Returns whether one of the four bytes is zero.
#[inline(always)]
fn has_zero(bytes: u32) -> bool {
    bytes.wrapping_sub(0x0101_0101) & !bytes & 0x8080_8080 != 0
}

/// Decodes a value of `size` bits (T.81, F.2.2.1, EXTEND).
#[inline(always)]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let half = (1 << size) >> 1;
    let bits = bits as i32;
    if bits < half { bits - (1 << size) + 1 } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_is_removed_and_the_marker_ends_the_bits() {
        let mut input = Input::new(b"\x12\xff\x00\x34\x56\x78\xff\xff\xd3\x9a\xff\xd9");
        let mut bits = Bits::new(&mut input);
        let bytes: Vec<u32> = (0..6).map(|_| bits.bits(8)).collect();
        assert_eq!(bytes, [0x12, 0xff, 0x34, 0x56, 0x78, 0]);
        assert!(!bits.is_exact());
        let mut input = Input::new(b"\x12\xff\xff\xd3\x9a\xff\xd9");
        let mut bits = Bits::new(&mut input);
        assert_eq!(bits.bits(3), 0);
        assert!(bits.is_exact() && bits.restart(2).is_none());
        bits.restart(3).unwrap();
        assert_eq!(bits.bits(8), 0x9a);
        assert!(bits.is_exact() && bits.restart(0).is_none());
        assert_eq!(input.rest(), b"\xff\xd9");
    }

    #[test]
    fn a_restart_before_the_last_byte_is_refused() {
        let mut input = Input::new(b"\x12\x34\xff\xd0");
        let mut bits = Bits::new(&mut input);
        assert_eq!(bits.bits(8), 0x12);
        assert!(bits.restart(0).is_none());
    }

    #[test]
    fn values_are_extended_as_in_t81() {
        let all = |size: u32| (0..1 << size).map(|bits| extend(bits, size)).collect::<Vec<_>>();
        assert_eq!(all(0), [0]);
        assert_eq!(all(1), [-1, 1]);
        assert_eq!(all(2), [-3, -2, 2, 3]);
    }
}
