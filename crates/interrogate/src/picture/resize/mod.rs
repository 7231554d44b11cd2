//! Resizes pictures by separable convolution. The filter is widened by the factor of
//! reduction (antialiasing), and values are rounded to eight bits between the two passes.
//!
//! [`Resampling`] chooses the arithmetic: [`pillow`] or [`torchvision`].

mod filter;
mod pillow;
mod torchvision;

pub use filter::Filter;

use super::Picture;
use crate::error::Cause;
use crate::limits;

/// The library whose arithmetic a resize follows. Both round to eight bits after each pass;
/// on photos they differ by one level in 0.3 to 0.4 % of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resampling {
    /// Pillow's `Image.resize`: weights of 22 bits. Used by OpenAI's and open_clip's
    /// transforms and by the image processors of transformers up to version 4.
    #[default]
    Pillow,
    /// torchvision's resize of eight-bit tensors with antialiasing: weights of 16 bits.
    /// Used by the `Fast` image processors of transformers. Filters that torchvision lacks
    /// (all but bilinear and bicubic) and sides above [`limits::TORCHVISION_SIDE`] are
    /// resized as in Pillow.
    Torchvision,
}

impl Resampling {
    /// Returns what transformers 5 uses for an image processor of this class: Pillow for the
    /// slow classes (`...Pil` and the feature extractors of old files), torchvision for
    /// others and for a file that names no class.
    pub fn of_processor(class: Option<&str>) -> Self {
        match class {
            Some(class) if class.ends_with("Pil") || class.ends_with("FeatureExtractor") => {
                Resampling::Pillow
            }
            _ => Resampling::Torchvision,
        }
    }
}

/// `len` pixels from `start` of a side that is resized from `from` to `to` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: u32,
    /// More than 32 bits if a strip one pixel wide is resized.
    pub(super) to: u64,
    pub(super) start: u64,
    pub(super) len: u32,
}

impl Window {
    /// A whole side of `from` pixels, resized to `to`.
    pub(super) fn all(from: u32, to: u32) -> Self {
        Window { from, to: to.into(), start: 0, len: to }
    }

    /// Returns the number of pixels by which the side shrinks; negative if it grows.
    fn shrinks(self) -> i128 {
        i128::from(self.from) - i128::from(self.to)
    }
}

/// Returns the values (rows.len, columns.len, 3) of a window into the resized `picture`,
/// equal to resizing the whole and cropping, but computes only the window. Uses memory for
/// the window along one side times its source along the other, and
/// [`limits::RESIZE_WEIGHTS`] weights.
///
/// # Errors
/// If a window is empty or not within its side.
pub(super) fn resize(
    picture: &Picture,
    columns: Window,
    rows: Window,
    filter: Filter,
    resampling: Resampling,
) -> Result<Vec<u8>, Cause> {
    for side in [columns, rows] {
        if side.len == 0 || side.start.checked_add(side.len.into()).is_none_or(|end| end > side.to)
        {
            return Err("a window that is empty or beyond its side".into());
        }
    }
    let small = columns.from.max(rows.from) <= limits::TORCHVISION_SIDE;
    match (resampling, filter) {
        (Resampling::Torchvision, Filter::Bilinear | Filter::Bicubic) if small => {
            torchvision::resize(picture, columns, rows, filter)
        }
        _ => Ok(pillow::resize(picture, columns, rows, filter)),
    }
}

/// Whether the vertical pass comes first: if the height shrinks by more than twice as many
/// pixels as the width, as in Pillow 13 and later (its pull request 9549). The order
/// matters for values that are clipped at 0 or 255 between the passes.
fn vertical_first(columns: Window, rows: Window) -> bool {
    rows.shrinks() > 0 && rows.shrinks() > 2 * columns.shrinks()
}
