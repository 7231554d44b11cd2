//! The window of a convolution over square feature maps.

use std::ops::Range;

use super::check;
use crate::Result;
#[cfg(doc)]
use crate::error::RowsError;

/// The window of a convolution over feature maps of `side` by `side` pixels, whose rows are
/// pixels, line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Pixels along a side of the input.
    pub(crate) side: usize,
    /// Pixels along a side of the window.
    pub(crate) kernel: usize,
    /// Pixels from one window to the next; at least 1.
    pub(crate) stride: usize,
    /// Zeros before the first and after the last pixel of a line or column.
    pub(crate) padding: usize,
}

impl Window {
    /// Pixels along a side of the output.
    pub(crate) fn outputs(&self) -> usize {
        let padded = self.side + 2 * self.padding;
        padded.checked_sub(self.kernel).map_or(0, |free| free / self.stride + 1)
    }

    /// Taps of the window.
    pub(crate) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// The taps along a line that lie on the map, for the window number `output` of the line, and
    /// the pixel under the first of them.
    pub(crate) fn taps_on_map(&self, output: usize) -> (Range<usize>, usize) {
        let start = output * self.stride;
        let first = self.padding.saturating_sub(start);
        let end = (self.side + self.padding).saturating_sub(start).min(self.kernel);
        (first..end.max(first), (start + first).saturating_sub(self.padding))
    }

    /// Returns the number of maps in `rows` rows.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the last map is not complete.
    pub(crate) fn maps(&self, rows: usize) -> Result<usize> {
        let map = (self.side * self.side).max(1);
        check("rows of feature maps", rows.next_multiple_of(map), rows)?;
        Ok(rows / map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_taps_follow_stride_and_padding() {
        let window = Window { side: 5, kernel: 3, stride: 2, padding: 1 };
        assert_eq!((window.outputs(), window.taps()), (3, 9));
        let taps: Vec<_> = (0..3).map(|output| window.taps_on_map(output)).collect();
        assert_eq!(taps, [(1..3, 0), (0..3, 1), (0..2, 3)]);
        // Patches: a remainder at the edge is dropped.
        let window = Window { side: 9, kernel: 4, stride: 4, padding: 0 };
        assert_eq!((window.outputs(), window.taps_on_map(1)), (2, (0..4, 4)));
        // A window larger than the map, and one larger than the padded map.
        let window = Window { side: 2, kernel: 7, stride: 1, padding: 3 };
        assert_eq!((window.outputs(), window.taps_on_map(0)), (2, (3..5, 0)));
        assert_eq!(Window { padding: 0, ..window }.outputs(), 0);
    }

    #[test]
    fn incomplete_map_is_refused() {
        let window = Window { side: 3, kernel: 1, stride: 1, padding: 0 };
        assert_eq!(window.maps(27).unwrap(), 3);
        assert!(window.maps(26).is_err());
    }
}
