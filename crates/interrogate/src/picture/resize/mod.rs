//! Resizing: separable convolution, the filter widened by the factor of reduction
//! (antialias), eight bits between the two passes.
//!
//! Owns the choice of arithmetic ([`Resampling`]) and the windows into a resized
//! picture; [`pillow`] and [`torchvision`] do the work.

mod filter;
mod pillow;
mod torchvision;

pub use filter::Filter;

use super::Picture;
use crate::error::Cause;
use crate::limits;

/// Whose arithmetic a resize follows. Both round to eight bits after each pass; on
/// photos they differ by one level in 0.3 to 0.4 % of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resampling {
    /// Pillow's `Image.resize`: weights of 22 bits. What OpenAI's and open_clip's
    /// transforms call, and the image processors of transformers up to 4.
    #[default]
    Pillow,
    /// torchvision's resize of eight-bit tensors with antialias: weights of 16 bits.
    /// What the `Fast` image processors of transformers call. Filters other than
    /// bilinear and bicubic, which torchvision lacks, and sides above
    /// [`limits::TORCHVISION_SIDE`] are resized as Pillow does it.
    Torchvision,
}

impl Resampling {
    /// What an image processor of transformers 5 does under this class name: the slow
    /// classes (`...Pil`, and the feature extractors of old files) call Pillow; the others,
    /// and a file that names none, torchvision.
    pub fn of_processor(class: Option<&str>) -> Self {
        match class {
            Some(class) if class.ends_with("Pil") || class.ends_with("FeatureExtractor") => {
                Resampling::Pillow
            }
            _ => Resampling::Torchvision,
        }
    }
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
    /// By how many pixels the side shrinks; negative where it grows.
    fn shrinks(self) -> i128 {
        i128::from(self.from) - i128::from(self.to)
    }
}

/// The values (rows.len, columns.len, 3) of a window into the resized
/// `picture`, without the rest of it ever being computed. Neighbours outside
/// the window count, as if the whole were resized and then cropped. Costs
/// memory for the window in one direction times what it needs in the other, and
/// [`limits::RESIZE_WEIGHTS`] for the weights.
///
/// # Errors
/// Where a window is empty or does not lie within its side.
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

/// Whether the vertical pass comes first: where the height shrinks by more than twice
/// the pixels that the width does, as in Pillow from 13 on (its pull request 9549).
/// The order shows where values are cut off at 0 or 255 between the passes.
fn vertical_first(columns: Window, rows: Window) -> bool {
    rows.shrinks() > 0 && rows.shrinks() > 2 * columns.shrinks()
}
