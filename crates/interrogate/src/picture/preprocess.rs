//! From a picture to the pixels a model wants: resize, crop, mean and std.

use super::resize::{Window, resize};
use super::{Filter, Picture, Resampling};
use crate::{Error, Result};

/// The steps before an image tower, in the order the field does them: resize,
/// centre crop, 0..=255 to 0..=1, mean and std.
///
/// ```
/// use interrogate::picture::{Picture, Preprocess, Resize};
///
/// let steps = Preprocess { resize: Resize::ShorterSide(2), crop: (2, 2), ..Preprocess::default() };
/// let grey = Picture::from_rgb(4, 8, vec![128; 4 * 8 * 3])?;
/// assert_eq!(steps.pixels(&grey)?.len(), 3 * 2 * 2);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// How the picture is brought to size.
    pub resize: Resize,
    /// How values are made of their neighbours there.
    pub filter: Filter,
    /// Whose arithmetic does it.
    pub resampling: Resampling,
    /// Height and width of the centre crop. A side that is shorter than the crop
    /// gets black around it, one pixel more at the top or left.
    pub crop: (u32, u32),
    /// Where the crop lies when its margin is odd.
    pub centre: Centre,
    /// What a value in 0..=1 is lessened by, a channel.
    pub mean: [f32; 3],
    /// What it is divided by then, a channel.
    pub std: [f32; 3],
}

/// Where a centre crop begins whose margin is odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Centre {
    /// At the half, rounded down: transformers.
    #[default]
    Lower,
    /// At the half, rounded to the even number: torchvision's `CenterCrop`, and so
    /// OpenAI's and open_clip's own transforms.
    Even,
}

/// To which size a picture is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// It keeps its own.
    Keep,
    /// The shorter side gets so many pixels, the longer keeps the proportion,
    /// rounded down.
    ShorterSide(u32),
    /// So many rows and columns, whatever the proportion.
    Exact {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
}

/// OpenAI's CLIP, and most of its family: bicubic to 224 pixels on the shorter
/// side, the middle 224 x 224, mean and std of its training pictures
/// (openai/CLIP, clip/clip.py, `_transform`).
impl Default for Preprocess {
    fn default() -> Self {
        Preprocess {
            resize: Resize::ShorterSide(224),
            filter: Filter::Bicubic,
            resampling: Resampling::Pillow,
            crop: (224, 224),
            centre: Centre::Lower,
            mean: [0.48145466, 0.4578275, 0.40821073],
            std: [0.26862954, 0.261_302_6, 0.275_777_1],
        }
    }
}

impl Preprocess {
    /// The pixels (3, height, width) of `picture`, channel by channel.
    ///
    /// What lies outside the crop is not computed, so that neither time nor
    /// memory grows with a long strip's resized length.
    ///
    /// # Errors
    /// [`Error::PictureResize`] where a side of the resize or of the crop is
    /// zero, or the crop has more than [`PICTURE_PIXELS`](crate::limits::PICTURE_PIXELS).
    pub fn pixels(&self, picture: &Picture) -> Result<Vec<f32>> {
        let (height, width) = self.crop;
        let rgb = self.cropped(picture)?;
        let area = height as usize * width as usize;
        let mut pixels = vec![0.0; 3 * area];
        for (channel, out) in pixels.chunks_exact_mut(area).enumerate() {
            let values = self.values(channel);
            for (out, pixel) in out.iter_mut().zip(rgb.chunks_exact(3)) {
                *out = values[usize::from(pixel[channel])];
            }
        }
        Ok(pixels)
    }

    /// The values (height, width, 3) after resize and crop, row by row.
    ///
    /// # Errors
    /// Those of [`pixels`](Self::pixels).
    pub fn cropped(&self, picture: &Picture) -> Result<Vec<u8>> {
        let (height, width) = self.crop;
        let (to_height, to_width) = self.resize.size(picture);
        let refused = || {
            let (width, height) = (picture.width, picture.height);
            Error::PictureResize { width, height, to_width, to_height }
        };
        let empty = [to_height, to_width].contains(&0) || [height, width].contains(&0);
        if empty || u64::from(height) * u64::from(width) > crate::limits::PICTURE_PIXELS {
            return Err(refused());
        }
        let rows = Placed::new(picture.height, to_height, height, self.centre);
        let columns = Placed::new(picture.width, to_width, width, self.centre);
        let (filter, resampling) = (self.filter, self.resampling);
        let middle = resize(picture, columns.window, rows.window, filter, resampling)
            .map_err(|_| refused())?;
        if (rows.window.len, columns.window.len) == (height, width) {
            return Ok(middle);
        }
        let mut out = vec![0; 3 * height as usize * width as usize];
        let lines = out.chunks_exact_mut(3 * width as usize).skip(rows.pad as usize);
        for (line, from) in lines.zip(middle.chunks_exact(3 * columns.window.len as usize)) {
            line[3 * columns.pad as usize..][..from.len()].copy_from_slice(from);
        }
        Ok(out)
    }

    /// What each of the 256 values of a channel becomes, in the order of
    /// operations of the field's f32 arithmetic.
    fn values(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        std::array::from_fn(|v| ((v as f64 * (1.0 / 255.0)) as f32 - mean) / std)
    }
}

impl Resize {
    /// Rows and columns of `picture` after the resize.
    fn size(self, picture: &Picture) -> (u64, u64) {
        let (height, width) = (u64::from(picture.height), u64::from(picture.width));
        match self {
            Resize::Keep => (height, width),
            Resize::Exact { height, width } => (height.into(), width.into()),
            // Both products fit: a side and a picture's side have 32 bits each.
            Resize::ShorterSide(side) => {
                let (side, short) = (u64::from(side), height.min(width).max(1));
                (side * height / short, side * width / short)
            }
        }
    }
}

/// The part of a resized side that the centre crop takes, and where in the crop
/// it goes.
struct Placed {
    window: Window,
    pad: u32,
}

impl Placed {
    fn new(from: u32, to: u64, crop: u32, centre: Centre) -> Self {
        let len = u32::try_from(to).map_or(crop, |to| to.min(crop));
        let margin = to - u64::from(len);
        let start = match centre {
            Centre::Even if margin % 4 == 3 => margin / 2 + 1,
            _ => margin / 2,
        };
        Placed { window: Window { from, to, start, len }, pad: (crop - len).div_ceil(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `(m // 2, round(m / 2))` for margins m of 0 to 7.
    #[test]
    fn an_odd_margin_is_halved_as_the_field_does_it() {
        let starts = |centre| {
            let start = |margin: u64| Placed::new(9, 10 + margin, 10, centre).window.start;
            (0..8).map(start).collect::<Vec<u64>>()
        };
        assert_eq!(starts(Centre::Lower), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(starts(Centre::Even), [0, 0, 1, 2, 2, 2, 3, 4]);
    }
}
