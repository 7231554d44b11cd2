//! torchvision's resize of eight-bit tensors with antialias: weights of as many bits as
//! 16 hold.
//!
//! Owns the order of the passes and the windows into them; the arithmetic is
//! fast_image_resize's.

use fast_image_resize as fir;
use fir::images::{Image, ImageRef};
use fir::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::{Filter, Window, vertical_first};
use crate::error::Cause;
use crate::picture::Picture;

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
    fn neighbourhood(self, filter: Filter) -> (Stretch, Stretch) {
        let source = self.source();
        let margin = filter.support() * (source.len / f64::from(self.len)).max(1.0) + 1.0;
        let first = (source.start - margin).floor().max(0.0);
        let last = (source.start + source.len + margin).ceil().min(f64::from(self.from));
        let needed = Stretch { start: first, len: last - first, to: (last - first) as u32 };
        (needed, Stretch { start: source.start - first, ..source })
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

/// # Errors
/// Where a window is empty or does not lie within its side.
pub(super) fn resize(
    picture: &Picture,
    columns: Window,
    rows: Window,
    filter: Filter,
) -> Result<Vec<u8>, Cause> {
    let image = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)?;
    let out = if vertical_first(columns, rows) {
        let (needed, within) = columns.neighbourhood(filter);
        let flat = pass(&image, needed, rows.source(), filter)?;
        pass(&flat, within, Stretch::all(rows.len), filter)?
    } else {
        let (needed, within) = rows.neighbourhood(filter);
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
    let options = ResizeOptions::new().resize_alg(algorithm(filter)).crop(
        columns.start,
        rows.start,
        columns.len,
        rows.len,
    );
    Resizer::new().resize(image, &mut out, &options)?;
    Ok(out)
}

fn algorithm(filter: Filter) -> ResizeAlg {
    ResizeAlg::Convolution(match filter {
        Filter::Bilinear => FilterType::Bilinear,
        _ => FilterType::CatmullRom,
    })
}
