//! Rotary position embedding.

use super::check;
use crate::Result;
#[cfg(doc)]
use crate::error::RowsError;

/// The base of the frequencies of rotary embeddings.
const TEMPERATURE: f32 = 10_000.0;

/// Rotary position embedding: each pair of adjacent values of a head is rotated by an angle that
/// depends on the row's position, so that a product of two rotated heads depends on their
/// distance (Su et al., arXiv 2104.09864).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rotary {
    /// Pairs in a head.
    pub(super) pairs: usize,
    /// (positions, pairs)
    pub(super) cosines: Vec<f32>,
    /// (positions, pairs)
    pub(super) sines: Vec<f32>,
}

impl Rotary {
    /// Creates the embedding of a class token and the patches of a square image, `grid` along
    /// a side, from left to right and top to bottom, for heads of `head` values, a multiple
    /// of 4. The class token is not rotated. Of a head's pairs the first half is rotated by the
    /// patch's row, the other by its column; both are scaled to a grid of `reference`
    /// (`RotaryEmbeddingCat` in timm 1.0.31, timm/layers/pos_embed_sincos.py).
    pub(crate) fn of_patches(grid: usize, reference: usize, head: usize) -> Self {
        let bands = head / 4;
        let band = |band: usize| 1.0 / TEMPERATURE.powf(band as f32 / bands as f32);
        let bands: Vec<f32> = (0..bands).map(band).collect();
        let place = |index: usize| index as f32 / grid as f32 * reference as f32;
        let patches = (0..grid * grid).flat_map(|patch| [place(patch / grid), place(patch % grid)]);
        let patches = patches.flat_map(|place| bands.iter().map(move |band| place * band));
        let angles: Vec<f32> = vec![0.0; bands.len() * 2].into_iter().chain(patches).collect();
        Rotary {
            pairs: bands.len() * 2,
            cosines: angles.iter().map(|angle| angle.cos()).collect(),
            sines: angles.iter().map(|angle| angle.sin()).collect(),
        }
    }

    /// Number of positions.
    pub(super) fn positions(&self) -> usize {
        self.cosines.len() / self.pairs.max(1)
    }

    /// Checks that rows of `width` are whole groups of the positions and whole heads.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if they are not.
    pub(super) fn check(&self, rows: usize, width: usize) -> Result<()> {
        check("the width of heads", width.next_multiple_of((self.pairs * 2).max(1)), width)?;
        check("rows of positions", rows.next_multiple_of(self.positions().max(1)), rows)
    }

    /// Rotates `rows` of `width`, whole groups of the positions, in place.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub(super) fn apply(&self, rows: &mut [f32], width: usize) -> Result<()> {
        self.check(rows.len() / width.max(1), width)?;
        let angles =
            || self.cosines.chunks_exact(self.pairs).zip(self.sines.chunks_exact(self.pairs));
        for group in rows.chunks_exact_mut((self.positions() * width).max(1)) {
            for (row, (cosines, sines)) in group.chunks_exact_mut(width).zip(angles()) {
                for head in row.chunks_exact_mut(self.pairs * 2) {
                    for ((pair, cosine), sine) in head.chunks_exact_mut(2).zip(cosines).zip(sines) {
                        let [x, y] = [pair[0], pair[1]];
                        pair[0] = x * cosine - y * sine;
                        pair[1] = y * cosine + x * sine;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_token_stays_and_products_depend_on_distance() {
        let rotary = Rotary::of_patches(3, 6, 8);
        assert_eq!((rotary.positions(), rotary.pairs), (10, 4));
        let head = [0.5, -1.0, 2.0, 0.25, 1.5, 1.0, -0.75, 3.0];
        let mut rows = head.repeat(10 * 2);
        rotary.apply(&mut rows, 8).unwrap();
        assert_eq!(rows[..8], head);
        assert_eq!(rows[80..160], rows[..80], "each group of positions is rotated alike");
        let row = |y: usize, x: usize| &rows[(1 + y * 3 + x) * 8..][..8];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!((dot(row(0, 0), row(1, 2)) - dot(row(1, 0), row(2, 2))).abs() < 1e-5);
        assert!((dot(row(0, 0), row(1, 2)) - dot(row(0, 0), row(2, 1))).abs() > 1e-2);
        // A patch one row down is 2 down in the reference grid: the first pair turns by 2 radians.
        let turned = [0.5 * 2f32.cos() + 2f32.sin(), 0.5 * 2f32.sin() - 2f32.cos()];
        assert!((row(1, 0)[0] - turned[0]).abs() < 1e-6 && (row(1, 0)[1] - turned[1]).abs() < 1e-6);
        assert_eq!(row(1, 0)[4..], head[4..], "the second half turns with the column");
    }

    #[test]
    fn rows_of_other_shapes_are_an_error() {
        let rotary = Rotary::of_patches(2, 2, 8);
        assert!(rotary.apply(&mut [0.0; 5 * 8], 8).is_ok());
        for (values, width) in [(4 * 8, 8), (5 * 12, 12), (3, 0)] {
            assert!(rotary.apply(&mut vec![0.0; values], width).is_err(), "{values} {width}");
        }
    }
}
