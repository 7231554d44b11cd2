//! Preprocesses a picture for an image tower: resize, center crop, mean and std.

use super::resize::{Window, resize};
use super::{Filter, Picture, Resampling};
use crate::error::PictureError;
use crate::{Error, Result};

/// The steps before an image tower, in this order: resize, center crop, scaling from
/// 0..=255 to 0..=1, mean and std.
///
/// ```
/// use interrogate::picture::{Picture, Preprocess, Resize};
///
/// let steps = Preprocess { resize: Resize::ShorterSide(2), crop: (2, 2), ..Preprocess::default() };
/// let gray = Picture::from_rgb(4, 8, vec![128; 4 * 8 * 3])?;
/// assert_eq!(steps.cropped(&gray)?, [128; 2 * 2 * 3]);
/// let pixels = steps.pixels(&gray)?; // channel by channel
/// let red = (128.0 / 255.0 - steps.mean[0]) / steps.std[0];
/// assert!((pixels[0] - red).abs() < 1e-6);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// The size after the resize.
    pub resize: Resize,
    /// The resampling filter.
    pub filter: Filter,
    /// Whose arithmetic the resize follows.
    pub resampling: Resampling,
    /// Height and width of the center crop. A side shorter than the crop is padded with
    /// black; of an odd padding the extra pixel is at the top or left.
    pub crop: (u32, u32),
    /// How an odd margin of the crop is rounded.
    pub center: Center,
    /// The mean of each channel, subtracted from values in 0..=1.
    pub mean: [f32; 3],
    /// The standard deviation of each channel, by which the difference is divided.
    pub std: [f32; 3],
}

/// How half of an odd margin is rounded, which gives the start of a center crop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Center {
    /// Down, as in transformers.
    #[default]
    Lower,
    /// To the even number, as in torchvision's `CenterCrop`, which OpenAI's and open_clip's
    /// transforms use.
    Even,
}

/// The size that a picture is resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The picture's own size.
    Keep,
    /// The shorter side gets this many pixels; the longer keeps the aspect ratio, rounded
    /// down.
    ShorterSide(u32),
    /// This height and width, whatever the aspect ratio.
    Exact {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
}

/// The steps of OpenAI's CLIP and most of its family: bicubic to 224 pixels on the shorter
/// side, the central 224 x 224, mean and std of its training images (openai/CLIP,
/// clip/clip.py, `_transform`).
impl Default for Preprocess {
    fn default() -> Self {
        Preprocess {
            resize: Resize::ShorterSide(224),
            filter: Filter::Bicubic,
            resampling: Resampling::Pillow,
            crop: (224, 224),
            center: Center::Lower,
            mean: [0.48145466, 0.4578275, 0.40821073],
            std: [0.26862954, 0.261_302_6, 0.275_777_1],
        }
    }
}

impl Preprocess {
    /// Returns the input of the image tower (3, height, width), channel by channel.
    ///
    /// Only the crop is computed, so that a long strip, whose resized length is large,
    /// costs no more time or memory.
    ///
    /// # Errors
    /// [`PictureError::Resize`] if a side of the resize or the crop is zero, or the crop has
    /// more than [`PICTURE_PIXELS`](crate::limits::PICTURE_PIXELS).
    pub fn pixels(&self, picture: &Picture) -> Result<Vec<f32>> {
        let (height, width) = self.crop;
        let rgb = self.cropped(picture)?;
        let area = height as usize * width as usize;
        let mut pixels = vec![0.0; 3 * area];
        for (channel, out) in pixels.chunks_exact_mut(area).enumerate() {
            let values = self.normalized(channel);
            for (out, pixel) in out.iter_mut().zip(rgb.chunks_exact(3)) {
                *out = values[usize::from(pixel[channel])];
            }
        }
        Ok(pixels)
    }

    /// Returns the values (height, width, 3) after resize and crop, row by row.
    ///
    /// # Errors
    /// Those of [`pixels`](Self::pixels).
    pub fn cropped(&self, picture: &Picture) -> Result<Vec<u8>> {
        let (height, width) = self.crop;
        let (to_height, to_width) = self.resize.size(picture);
        let refused = || {
            let (width, height) = (picture.width, picture.height);
            Error::Picture(PictureError::Resize { width, height, to_width, to_height })
        };
        let empty = [to_height, to_width].contains(&0) || [height, width].contains(&0);
        if empty || u64::from(height) * u64::from(width) > crate::limits::PICTURE_PIXELS {
            return Err(refused());
        }
        let rows = CropSpan::new(picture.height, to_height, height, self.center);
        let columns = CropSpan::new(picture.width, to_width, width, self.center);
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

    /// Returns the normalized form of each of the 256 values of a channel, in the order of
    /// the f32 operations of transformers and torchvision.
    fn normalized(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        std::array::from_fn(|v| ((v as f64 * (1.0 / 255.0)) as f32 - mean) / std)
    }
}

impl Resize {
    /// Returns the height and width of `picture` after the resize.
    fn size(self, picture: &Picture) -> (u64, u64) {
        let (height, width) = (u64::from(picture.height), u64::from(picture.width));
        match self {
            Resize::Keep => (height, width),
            Resize::Exact { height, width } => (height.into(), width.into()),
            // No product overflows: its factors have 32 bits each.
            Resize::ShorterSide(side) => {
                let (side, short) = (u64::from(side), height.min(width).max(1));
                (side * height / short, side * width / short)
            }
        }
    }
}

/// One axis of a center crop.
struct CropSpan {
    /// The part of the resized side inside the crop.
    window: Window,
    /// Black pixels before it.
    pad: u32,
}

impl CropSpan {
    fn new(from: u32, to: u64, crop: u32, center: Center) -> Self {
        let len = u32::try_from(to).map_or(crop, |to| to.min(crop));
        let margin = to - u64::from(len);
        let start = match center {
            Center::Even if margin % 4 == 3 => margin / 2 + 1,
            _ => margin / 2,
        };
        CropSpan { window: Window { from, to, start, len }, pad: (crop - len).div_ceil(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `(m // 2, round(m / 2))` for margins m of 0 to 7.
    #[test]
    fn odd_margins_round_as_in_transformers_and_torchvision() {
        let starts = |center| {
            let start = |margin: u64| CropSpan::new(9, 10 + margin, 10, center).window.start;
            (0..8).map(start).collect::<Vec<u64>>()
        };
        assert_eq!(starts(Center::Lower), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(starts(Center::Even), [0, 0, 1, 2, 2, 2, 3, 4]);
    }
}
