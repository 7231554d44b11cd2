//! Images as rows of patches.

use rayon::prelude::*;

/// The shape of images that are split into square patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patches {
    pub(crate) channels: usize,
    /// Pixels along a side of the image.
    pub(crate) image: usize,
    /// Pixels along a side of a patch; divides `image`.
    pub(crate) patch: usize,
}

impl Patches {
    /// Values per image.
    pub(crate) fn pixels(&self) -> usize {
        self.channels * self.image * self.image
    }

    /// Patches per image.
    pub(crate) fn count(&self) -> usize {
        let grid = self.image / self.patch;
        grid * grid
    }

    /// Values per patch.
    pub(crate) fn width(&self) -> usize {
        self.channels * self.patch * self.patch
    }

    /// Unfolds images (channels, height, width) into one row (channels, patch, patch) per patch,
    /// from left to right and top to bottom. A convolution whose stride is its size is a product
    /// with these rows. Runs on all threads.
    pub(crate) fn rows(&self, pixels: &[f32]) -> Vec<f32> {
        let Patches { image: side, patch, .. } = *self;
        let (grid, count) = (side / patch, self.count());
        let mut rows = vec![0f32; pixels.len() / self.pixels() * count * self.width()];
        rows.par_chunks_mut(self.width()).enumerate().for_each(|(number, row)| {
            let (image, at) = (number / count, number % count);
            let (top, left) = (at / grid * patch, at % grid * patch);
            let image = &pixels[image * self.pixels()..][..self.pixels()];
            for (line, to) in row.chunks_exact_mut(patch).enumerate() {
                let (channel, y) = (line / patch, top + line % patch);
                to.copy_from_slice(&image[(channel * side + y) * side + left..][..patch]);
            }
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_becomes_a_row_channel_by_channel() {
        let patches = Patches { channels: 2, image: 4, patch: 2 };
        let pixels: Vec<f32> = (0u8..64).map(f32::from).collect();
        let rows = patches.rows(&pixels);
        assert_eq!((patches.pixels(), patches.count(), patches.width()), (32, 4, 8));
        assert_eq!(rows[..8], [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0]);
        assert_eq!(rows[8..16], [2.0, 3.0, 6.0, 7.0, 18.0, 19.0, 22.0, 23.0]);
        assert_eq!(rows[32..36], [32.0, 33.0, 36.0, 37.0]);
    }
}
