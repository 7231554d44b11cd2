//! Pictures on a square, as taggers see them.

use super::Picture;
use super::resize::{Filter, Resampling, Window, resize};
use crate::error::PictureError;
use crate::{Error, Result, limits};

/// Rows that are padded at a time.
const BAND: usize = 64;

impl Picture {
    /// Returns this picture, centered on a square of `background` with the length of its longer
    /// side, resized to `side` by `side` pixels in Pillow's arithmetic. Of an odd margin the
    /// extra pixel is at the right or bottom.
    ///
    /// The square is not in memory as a whole: the horizontal pass runs over bands of its rows.
    ///
    /// # Errors
    /// [`PictureError::Resize`] if `side` is 0, or times the longer side above
    /// [`limits::PICTURE_PIXELS`].
    pub fn on_square(&self, side: u32, background: [u8; 3], filter: Filter) -> Result<Picture> {
        let whole = self.width.max(self.height);
        let refused = || {
            let (width, height) = (self.width, self.height);
            let [to_width, to_height] = [side.into(); 2];
            Error::Picture(PictureError::Resize { width, height, to_width, to_height })
        };
        if side == 0 || u64::from(side) * u64::from(whole) > limits::PICTURE_PIXELS {
            return Err(refused());
        }
        // Pillow resizes a square horizontally first.
        let (shorter, kept) = (Window::all(whole, side), |size| Window::all(size, size));
        let left = (whole - self.width) / 2;
        let top = ((whole - self.height) / 2) as usize;
        let line = 3 * whole as usize;
        let mut narrow = background.repeat(side as usize * whole as usize);
        let mut rows = narrow.chunks_mut(3 * side as usize).skip(top);
        for band in self.rgb.chunks(3 * self.width as usize * BAND) {
            let mut padded = background.repeat(whole as usize * BAND);
            let count = band.len() / (3 * self.width as usize);
            let lines =
                padded.chunks_exact_mut(line).zip(band.chunks_exact(3 * self.width as usize));
            for (to, from) in lines {
                to[3 * left as usize..][..from.len()].copy_from_slice(from);
            }
            padded.truncate(count * line);
            let padded = Picture::from_rgb(whole, count as u32, padded)?;
            let resized = resize(&padded, shorter, kept(count as u32), filter, Resampling::Pillow);
            let resized = resized.map_err(|_| refused())?;
            for (from, to) in resized.chunks_exact(3 * side as usize).zip(rows.by_ref()) {
                to.copy_from_slice(from);
            }
        }
        let narrow = Picture::from_rgb(side, whole, narrow)?;
        let resized = resize(&narrow, kept(side), shorter, filter, Resampling::Pillow);
        Picture::from_rgb(side, side, resized.map_err(|_| refused())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEN: [u8; 3] = [0, 200, 0];

    fn picture(width: u32, height: u32) -> Picture {
        let rgb = (0..width * height * 3).map(|value| (value * 7 % 251) as u8);
        Picture::from_rgb(width, height, rgb.collect()).unwrap()
    }

    /// The square, then the resize.
    fn in_two_steps(picture: &Picture, side: u32, filter: Filter) -> Vec<u8> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let whole = width.max(height);
        let mut square = GREEN.repeat(whole * whole);
        for (y, row) in picture.rgb().chunks_exact(3 * width).enumerate() {
            let at = ((whole - height) / 2 + y) * whole + (whole - width) / 2;
            square[3 * at..][..row.len()].copy_from_slice(row);
        }
        let square = Picture::from_rgb(whole as u32, whole as u32, square).unwrap();
        let window = Window::all(whole as u32, side);
        resize(&square, window, window, filter, Resampling::Pillow).unwrap()
    }

    #[test]
    fn bands_equal_the_whole_square() {
        for (width, height) in [(100, 70), (70, 201), (33, 33), (1, 150), (150, 1), (1, 1)] {
            for side in [1, 16, 33, 240] {
                for filter in [Filter::Bicubic, Filter::Bilinear] {
                    let picture = picture(width, height);
                    let found = picture.on_square(side, GREEN, filter).unwrap();
                    let expected = in_two_steps(&picture, side, filter);
                    assert!(found.rgb() == expected, "{width} x {height} to {side}");
                }
            }
        }
    }

    #[test]
    fn side_of_zero_and_very_long_strips_are_refused() {
        let error = picture(4, 2).on_square(0, GREEN, Filter::Bicubic).unwrap_err();
        assert!(matches!(error, Error::Picture(PictureError::Resize { .. })), "{error}");
        let strip = Picture::from_rgb(400_000, 1, vec![0; 1_200_000]).unwrap();
        assert!(strip.on_square(448, GREEN, Filter::Bicubic).is_err());
        assert!(strip.on_square(440, GREEN, Filter::Bicubic).is_ok());
    }
}
