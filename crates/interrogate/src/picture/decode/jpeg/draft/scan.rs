//! One scan: its header, and the order of its blocks.

use super::bits::Bits;
use super::frame::Frame;

/// Blocks of a minimum coded unit (T.81, B.2.3).
const UNIT_BLOCKS: usize = 10;

/// A scan's header.
#[derive(Debug)]
pub(super) struct Scan {
    /// For each component: its number in the frame, its DC and its AC table.
    pub(super) components: Vec<(usize, [usize; 2])>,
    /// The first and last coefficient, in zigzag order.
    pub(super) band: [usize; 2],
    /// The bit position of the scan before and of this one (progressive).
    pub(super) bit: [u32; 2],
}

/// What is carried from block to block. Restart markers reset it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The last DC value of each component.
    pub(super) dc: [i32; 4],
    /// The number of blocks that follow without further coefficients (progressive).
    pub(super) ended: u32,
}

impl Scan {
    /// Parses the data of a scan header.
    pub(super) fn parse(data: &[u8], frame: &Frame) -> Option<Self> {
        let (&count, rest) = data.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bit] = rest else { return None };
        let mut components = Vec::with_capacity(4);
        for part in parts.chunks_exact(2) {
            let index = frame.components.iter().position(|component| component.id == part[0])?;
            let tables = [part[1] >> 4, part[1] & 15].map(usize::from);
            // Components are in the frame's order.
            let in_order = components.last().is_none_or(|&(before, _)| before < index);
            if !in_order || tables.iter().any(|&table| table > 3) {
                return None;
            }
            components.push((index, tables));
        }
        let blocks = |&(index, _): &(usize, _)| {
            let [across, down] = frame.components[index].factors;
            across * down
        };
        let fits =
            components.len() == 1 || components.iter().map(blocks).sum::<usize>() <= UNIT_BLOCKS;
        let (band, bit) = ([first, last].map(usize::from), [bit >> 4, bit & 15].map(u32::from));
        let valid = !components.is_empty() && fits && band[0] <= band[1] && band[1] < 64;
        (valid && bit.iter().all(|&bit| bit < 14)).then_some(Scan { components, band, bit })
    }

    /// Calls `block` for each block of the scan, with the position of its component in the scan
    /// and its own across and down. `restart` is the number of units between restart markers.
    /// Returns `None` if a call does, or the data ends early.
    #[inline(always)]
    pub(super) fn each<'a>(
        &self,
        frame: &Frame,
        restart: Option<u32>,
        bits: &mut Bits<'_, 'a>,
        mut block: impl FnMut(&mut Bits<'_, 'a>, &mut State, usize, [usize; 2]) -> Option<()>,
    ) -> Option<()> {
        let alone = self.components.len() == 1;
        let [across, down] = match self.components[..] {
            [(index, _)] => frame.components[index].blocks,
            _ => frame.units,
        };
        let (mut state, mut number) = (State::default(), 0);
        let mut left = restart.unwrap_or(u32::MAX);
        for unit in (0..down).flat_map(|y| (0..across).map(move |x| [x, y])) {
            if left == 0 {
                bits.restart(number)?;
                number = (number + 1) % 8;
                state = State::default();
                left = restart.unwrap_or(u32::MAX);
            }
            left -= u32::from(restart.is_some());
            if alone {
                block(bits, &mut state, 0, unit)?;
            } else {
                for (position, &(index, _)) in self.components.iter().enumerate() {
                    let [width, height] = frame.components[index].factors;
                    for y in 0..height {
                        for x in 0..width {
                            let at = [unit[0] * width + x, unit[1] * height + y];
                            block(bits, &mut state, position, at)?;
                        }
                    }
                }
            }
            if !bits.is_exact() {
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::Input;
    use super::super::frame::Coding;
    use super::*;

    fn frame(factors: [u8; 3]) -> Frame {
        let mut data = vec![8, 0, 40, 0, 24, 3];
        factors.iter().zip(1..).for_each(|(&factors, id)| data.extend([id, factors, 0]));
        Frame::parse(Coding::Sequential, &data, 3).unwrap()
    }

    #[test]
    fn blocks_come_in_units_or_in_rows() {
        let frame = frame([0x22, 0x11, 0x11]);
        let blocks = |header: &[u8]| {
            let (scan, mut blocks) = (Scan::parse(header, &frame).unwrap(), Vec::new());
            let mut input = Input::new(&[]);
            scan.each(&frame, None, &mut Bits::new(&mut input), |_, _, component, at| {
                blocks.push((component, at));
                Some(())
            })
            .unwrap();
            blocks
        };
        let all = blocks(&[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
        assert_eq!(all.len(), 6 * 2 * 3);
        let second = [(0, [2, 0]), (0, [3, 0]), (0, [2, 1]), (0, [3, 1]), (1, [1, 0]), (2, [1, 0])];
        assert_eq!(all[6..12], second);
        // Alone, a component has no padding: 3 x 5 blocks, not 4 x 6.
        let luma = blocks(&[1, 1, 0, 0, 63, 0]);
        assert_eq!((luma.len(), luma[3]), (15, (0, [0, 1])));
    }

    #[test]
    fn invalid_headers_are_refused() {
        let frame = frame([0x22, 0x11, 0x11]);
        for header in [
            &[0, 0, 63, 0][..],
            &[1, 9, 0, 0, 63, 0],
            &[2, 2, 0, 1, 0, 0, 63, 0],
            &[2, 1, 0, 1, 0, 0, 63, 0],
            &[1, 1, 0x40, 0, 63, 0],
            &[1, 1, 0, 0, 64, 0],
            &[1, 1, 0, 5, 4, 0],
            &[1, 1, 0, 0, 63, 0xe0],
            &[1, 1, 0, 0, 63],
        ] {
            assert!(Scan::parse(header, &frame).is_none(), "{header:?}");
        }
    }
}
