//! The frame: sizes, components, and how far each is reduced.

/// How the coefficients are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Sequential,
    Progressive,
}

/// A component of the frame.
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Horizontal and vertical sampling factor.
    pub(super) factors: [usize; 2],
    /// The number of its quantization table.
    pub(super) table: usize,
    /// The blocks of a scan of this component alone, across and down.
    pub(super) blocks: [usize; 2],
    /// The blocks in memory, across and down: whole minimum coded units.
    pub(super) padded: [usize; 2],
    /// The side of a decoded block: 1, 2, 4 or 8 pixels.
    pub(super) side: usize,
    /// The width of its plane without padding, and the pixels that each becomes: 1 or 2.
    pub(super) width: usize,
    pub(super) stretch: usize,
}

/// The sizes of an image, decoded at 1 / `divisor`.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) coding: Coding,
    /// Width and height in the file.
    pub(super) whole: [u32; 2],
    /// Width and height of the draft.
    pub(super) size: [usize; 2],
    /// The number of minimum coded units, across and down.
    pub(super) units: [usize; 2],
    /// 2, 4 or 8.
    pub(super) divisor: usize,
    pub(super) components: Vec<Component>,
}

impl Frame {
    /// Parses the data of a frame header. Returns `None` if the image cannot be reduced, or this
    /// module does not decode its kind.
    pub(super) fn parse(coding: Coding, data: &[u8], side: u32) -> Option<Self> {
        let (&[8, h1, h0, w1, w0, count], parts) = data.split_first_chunk()? else { return None };
        let whole = [[w1, w0], [h1, h0]].map(|size| u32::from(u16::from_be_bytes(size)));
        let (parts, []) = parts.as_chunks::<3>() else { return None };
        if parts.len() != usize::from(count) || !matches!(count, 1 | 3 | 4) || whole.contains(&0) {
            return None;
        }
        let divisor = divisor(whole, side)?;
        let size = whole.map(|size| size.div_ceil(divisor as u32) as usize);
        let mut components: Vec<Component> = parts.iter().map(component).collect::<Option<_>>()?;
        if let [gray] = &mut components[..] {
            gray.factors = [1, 1]; // a unit is one block, whatever the factors
        }
        let most = [0, 1].map(|axis| components.iter().map(|c| c.factors[axis]).max());
        let most = [most[0]?, most[1]?];
        let whole_size = whole.map(|size| size as usize);
        let units = [0, 1].map(|axis| whole_size[axis].div_ceil(8 * most[axis]));
        for component in &mut components {
            component.fit(whole_size, units, most, 8 / divisor)?;
        }
        Some(Frame { coding, whole, size, units, divisor, components })
    }

    /// Returns the bytes that decoding allocates.
    pub(super) fn memory(&self) -> u64 {
        let blocks = |c: &Component| (c.padded[0] * c.padded[1]) as u64;
        let coefficients = if self.coding == Coding::Progressive { 128 } else { 0 };
        let block = |c: &Component| blocks(c) * ((c.side * c.side) as u64 + coefficients);
        let rgb = 3 * self.size[0] as u64 * self.size[1] as u64;
        self.components.iter().map(block).sum::<u64>() + rgb
    }
}

impl Component {
    /// Computes the sizes. As in libjpeg (`jpeg_calc_output_dimensions` in jdmaster.c), a
    /// subsampled component is reduced less, so that no pixel is interpolated, if both axes
    /// allow it. Returns `None` where another interpolation than a doubling of columns would
    /// be needed.
    fn fit(
        &mut self,
        whole: [usize; 2],
        units: [usize; 2],
        most: [usize; 2],
        luma: usize,
    ) -> Option<()> {
        let factors = self.factors;
        self.side = luma;
        let divides = |side: usize| {
            (0..2).all(|axis| (most[axis] * luma).is_multiple_of(factors[axis] * side))
        };
        while self.side < 8 && divides(2 * self.side) {
            self.side *= 2;
        }
        self.blocks = [0, 1].map(|axis| (whole[axis] * factors[axis]).div_ceil(8 * most[axis]));
        self.padded = [0, 1].map(|axis| units[axis] * factors[axis]);
        self.width = (whole[0] * factors[0] * self.side).div_ceil(8 * most[0]);
        let stretch = [0, 1].map(|axis| (most[axis] * luma, factors[axis] * self.side));
        let whole_stretch = |(to, from): (usize, usize)| (to % from == 0).then(|| to / from);
        self.stretch = whole_stretch(stretch[0])?;
        (self.stretch <= 2 && whole_stretch(stretch[1])? == 1).then_some(())
    }
}

/// Reads a component's three bytes.
fn component(&[id, factors, table]: &[u8; 3]) -> Option<Component> {
    let factors = [factors >> 4, factors & 15].map(usize::from);
    let valid = factors.iter().all(|factor| (1..=4).contains(factor)) && table < 4;
    valid.then(|| Component {
        id,
        factors,
        table: table.into(),
        blocks: [0; 2],
        padded: [0; 2],
        side: 0,
        width: 0,
        stretch: 1,
    })
}

/// Returns the largest of 8, 4 and 2 by which both sides can be divided and keep at least `side`
/// pixels, as Pillow's `draft` chooses it.
fn divisor(whole: [u32; 2], side: u32) -> Option<usize> {
    let shorter = whole[0].min(whole[1]);
    let ratio = shorter.checked_div(side)?;
    [8, 4, 2].into_iter().find(|&divisor| ratio >= divisor as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_the_asked_pixels() {
        let found = |width, height, side| divisor([width, height], side);
        assert_eq!(found(4000, 3000, 512), Some(4));
        assert_eq!(found(4000, 3000, 376), Some(4));
        assert_eq!(found(4000, 3000, 375), Some(8));
        assert_eq!(found(3000, 4000, 1500), Some(2));
        assert_eq!(found(3000, 4000, 1501), None);
        assert_eq!(found(65535, 1, 1), None);
        assert_eq!(found(65535, 65535, 1), Some(8));
        assert_eq!(found(8, 8, 0), None);
    }

    fn sides(factors: &[u8], side: u32) -> Option<Vec<(usize, usize)>> {
        let mut data = vec![8, 0, 64, 0, 64, factors.len() as u8];
        factors.iter().for_each(|&factors| data.extend([0, factors, 0]));
        let frame = Frame::parse(Coding::Sequential, &data, side)?;
        Some(frame.components.iter().map(|c| (c.side, c.stretch)).collect())
    }

    #[test]
    fn subsampled_components_are_reduced_less() {
        assert_eq!(sides(&[0x11], 16), Some(vec![(2, 1)]));
        assert_eq!(sides(&[0x22], 16), Some(vec![(2, 1)]));
        assert_eq!(sides(&[0x11; 3], 8), Some(vec![(1, 1); 3]));
        assert_eq!(sides(&[0x22, 0x11, 0x11], 32), Some(vec![(4, 1), (8, 1), (8, 1)]));
        assert_eq!(sides(&[0x22, 0x11, 0x11], 8), Some(vec![(1, 1), (2, 1), (2, 1)]));
        assert_eq!(sides(&[0x21, 0x11, 0x11], 16), Some(vec![(2, 1), (2, 2), (2, 2)]));
        assert_eq!(sides(&[0x22, 0x11, 0x11, 0x22], 32).unwrap()[3], (4, 1));
    }

    #[test]
    fn other_kinds_are_left_to_the_full_decoder() {
        assert!(sides(&[0x12, 0x11, 0x11], 16).is_none(), "rows are doubled");
        assert!(sides(&[0x41, 0x11, 0x11], 16).is_none(), "columns are quadrupled");
        assert!(sides(&[0x31, 0x21, 0x11], 16).is_none(), "no whole number");
        assert!(sides(&[0x11, 0x11], 16).is_none(), "two components");
        assert!(sides(&[0x01, 0x11, 0x11], 16).is_none() && sides(&[0x51], 16).is_none());
        let ten_bits = [10, 0, 64, 0, 64, 1, 0, 0x11, 0];
        assert!(Frame::parse(Coding::Sequential, &ten_bits, 16).is_none());
        let later_height = [8, 0, 0, 0, 64, 1, 0, 0x11, 0];
        assert!(Frame::parse(Coding::Sequential, &later_height, 16).is_none());
    }
}
