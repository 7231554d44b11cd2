//! Resizing as Pillow does it: separable convolution, the filter widened by the
//! factor of reduction (antialias), eight bits between the two passes.
//!
//! Owns the order of the passes and the windows into them; the arithmetic is
//! fast_image_resize's.

use fast_image_resize as fir;
use fir::images::{Image, ImageRef};
use fir::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::Picture;
use crate::error::Cause;

/// How a value is made of its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// A triangle: Pillow's `BILINEAR`, 2.
    Bilinear,
    /// Keys' cubic convolution with a = -0.5: Pillow's `BICUBIC`, 3.
    #[default]
    Bicubic,
}

/// `len` pixels from `start` on, of a side that is brought from `from` to `to`
/// pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: u32,
    /// Beyond 32 bits where a strip of one pixel's width is resized.
    pub(super) to: u64,
    pub(super) start: u64,
    pub(super) len: u32,
}

impl Window {
    /// The stretch of the side as it was that the window is made of.
    fn source(self) -> Stretch {
        let scale = f64::from(self.from) / self.to as f64;
        let start = self.start as f64 * scale;
        // Rounding must not lead beyond the end.
        let len = (f64::from(self.len) * scale).min(f64::from(self.from) - start);
        Stretch { start, len, to: self.len }
    }

    /// The source with its neighbours as far as the filter looks, in whole
    /// pixels, and where the source lies in that.
    fn needed(self, filter: Filter) -> (Stretch, Stretch) {
        let source = self.source();
        let margin = filter.support() * (source.len / f64::from(self.len)).max(1.0) + 1.0;
        let first = (source.start - margin).floor().max(0.0);
        let last = (source.start + source.len + margin).ceil().min(f64::from(self.from));
        let needed = Stretch { start: first, len: last - first, to: (last - first) as u32 };
        (needed, Stretch { start: source.start - first, ..source })
    }

    /// By how many pixels the side shrinks; negative where it grows.
    fn shrinks(self) -> i128 {
        i128::from(self.from) - i128::from(self.to)
    }
}

/// Where a side is taken from, and to how many pixels it is brought.
#[derive(Clone, Copy)]
struct Stretch {
    start: f64,
    len: f64,
    to: u32,
}

impl Stretch {
    /// A side that stays as it is.
    fn all(len: u32) -> Self {
        Stretch { start: 0.0, len: len.into(), to: len }
    }
}

/// The values (rows.len, columns.len, 3) of a window into the resized
/// `picture`, without the rest of it ever being computed. Neighbours outside
/// the window count, as if the whole were resized and then cropped. Costs
/// memory for the window in one direction times what it needs in the other.
///
/// The horizontal pass comes first, but for a picture whose height shrinks by
/// more than twice the pixels that its width does: there the vertical one does,
/// as in Pillow from 13 on (its pull request 9549). The order shows where
/// values are cut off at 0 or 255 between the passes.
///
/// # Errors
/// Where a window is empty or does not lie within its side.
pub(super) fn resize(
    picture: &Picture,
    columns: Window,
    rows: Window,
    filter: Filter,
) -> Result<Vec<u8>, Cause> {
    let image = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)?;
    let out = if rows.shrinks() > 0 && rows.shrinks() > 2 * columns.shrinks() {
        let (needed, within) = columns.needed(filter);
        let flat = pass(&image, needed, rows.source(), filter)?;
        pass(&flat, within, Stretch::all(rows.len), filter)?
    } else {
        let (needed, within) = rows.needed(filter);
        let narrow = pass(&image, columns.source(), needed, filter)?;
        pass(&narrow, Stretch::all(columns.len), within, filter)?
    };
    Ok(out.into_vec())
}

/// Resizes along the one side whose length changes; the other is cut out.
fn pass(
    image: &impl IntoImageView,
    columns: Stretch,
    rows: Stretch,
    filter: Filter,
) -> Result<Image<'static>, ResizeError> {
    let mut out = Image::new(columns.to, rows.to, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(filter.algorithm()).crop(
        columns.start,
        rows.start,
        columns.len,
        rows.len,
    );
    Resizer::new().resize(image, &mut out, &options)?;
    Ok(out)
}

impl Filter {
    fn algorithm(self) -> ResizeAlg {
        ResizeAlg::Convolution(match self {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Bicubic => FilterType::CatmullRom,
        })
    }

    /// How far a neighbour may be, in pixels of the smaller side's scale.
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }
}
