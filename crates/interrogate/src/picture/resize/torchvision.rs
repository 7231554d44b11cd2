//! torchvision's resize of eight-bit tensors with antialiasing: weights of 16 bits.
//!
//! This module orders the passes and computes the windows; fast_image_resize does the
//! arithmetic.

use fast_image_resize as fir;
use fir::images::{Image, ImageRef};
use fir::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::{Filter, Window, vertical_first};
use crate::error::Cause;
use crate::picture::Picture;

impl Window {
    /// Returns the part of the original side that the window covers.
    fn source(self) -> Span {
        let scale = f64::from(self.from) / self.to as f64;
        let start = self.start as f64 * scale;
        // Rounding must not exceed the side.
        let len = (f64::from(self.len) * scale).min(f64::from(self.from) - start);
        Span { start, len, to: self.len }
    }

    /// Returns the source with the neighbors within the filter's support, in whole pixels,
    /// and the source's position in it.
    fn with_margin(self, filter: Filter) -> (Span, Span) {
        let source = self.source();
        let margin = filter.support() * (source.len / f64::from(self.len)).max(1.0) + 1.0;
        let first = (source.start - margin).floor().max(0.0);
        let last = (source.start + source.len + margin).ceil().min(f64::from(self.from));
        let needed = Span { start: first, len: last - first, to: (last - first) as u32 };
        (needed, Span { start: source.start - first, ..source })
    }
}

/// A part of a side, and the number of pixels it is resized to.
#[derive(Clone, Copy)]
struct Span {
    start: f64,
    len: f64,
    to: u32,
}

impl Span {
    /// A whole side that is not resized.
    fn unchanged(len: u32) -> Self {
        Span { start: 0.0, len: len.into(), to: len }
    }
}

/// # Errors
/// If a window is empty or not within its side.
pub(super) fn resize(
    picture: &Picture,
    columns: Window,
    rows: Window,
    filter: Filter,
) -> Result<Vec<u8>, Cause> {
    let image = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)?;
    let out = if vertical_first(columns, rows) {
        let (needed, within) = columns.with_margin(filter);
        let flat = pass(&image, needed, rows.source(), filter)?;
        pass(&flat, within, Span::unchanged(rows.len), filter)?
    } else {
        let (needed, within) = rows.with_margin(filter);
        let narrow = pass(&image, columns.source(), needed, filter)?;
        pass(&narrow, Span::unchanged(columns.len), within, filter)?
    };
    Ok(out.into_vec())
}

/// Resizes along one side and crops the other.
fn pass(
    image: &impl IntoImageView,
    columns: Span,
    rows: Span,
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
