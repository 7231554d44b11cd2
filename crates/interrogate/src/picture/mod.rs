//! Decodes image files to RGB ([`Picture`]) and preprocesses them for an image tower
//! ([`Preprocess`]).
//!
//! The values of a checkpoint's preprocessing are read by `clip` from
//! preprocessor_config.json; finding the files is up to the caller.

mod budget;
mod decode;
mod pixels;
mod preprocess;
mod resize;
mod square;

#[cfg(test)]
mod tests;

pub use budget::{Budget, LoadStage, Reservation};
pub use decode::{DecodeOptions, read};
pub use pixels::Pixels;
pub use preprocess::{Center, Preprocess, Resize};
pub use resize::{Filter, Resampling};

use std::path::Path;

use crate::error::PictureError;
#[cfg(doc)]
use crate::limits;
use crate::{Error, Result};

/// File extensions of images, in lower case and sorted. They select the images of a folder
/// or an archive.
pub const EXTENSIONS: &[&str] = &[
    "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "qoi", "tif",
    "tiff", "webp",
];

/// Whether `path` has the extension of an image file, in any case. Does not open the file.
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

/// Whether a search for images skips a file or folder of this name: hidden files
/// (`._x.png` of macOS, `.ipynb_checkpoints`) and the system files `@eaDir`, `__MACOSX` and
/// `Thumbs.db`.
pub fn is_hidden(name: &std::ffi::OsStr) -> bool {
    let system = ["@eaDir", "__MACOSX", "Thumbs.db"];
    name.as_encoded_bytes().starts_with(b".")
        || system.iter().any(|system| name.eq_ignore_ascii_case(system))
}

/// A decoded image: eight-bit RGB, upright (EXIF orientation applied), with at least one
/// pixel.
///
/// ```
/// use interrogate::picture::Picture;
///
/// let red = Picture::from_rgb(2, 1, vec![255, 0, 0, 254, 0, 0])?;
/// assert_eq!((red.width(), red.height()), (2, 1));
/// # Ok::<(), interrogate::Error>(())
/// ```
///
/// # Color
/// Decoding converts as Pillow's `convert("RGB")` does, for a TIFF as for other formats:
///
/// | samples in the file | RGB |
/// |---|---|
/// | gray, bilevel | repeated; 1, 2 and 4 bits are scaled to 8 |
/// | palette | looked up; an index beyond the palette is black |
/// | alpha | dropped, or blended onto [`DecodeOptions::background`]; a TIFF's associated alpha is divided out first |
/// | CMYK | multiplied out |
/// | YCbCr | JFIF's equations |
/// | 16 bits | the upper eight are kept, of gray too, which Pillow clips at 255 |
///
/// No color profile is applied. A TIFF of floating-point, signed, 32-bit or Lab samples is
/// an error, not a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Reads and decodes the image file at `path`: JPEG, PNG, WebP, GIF, BMP, TIFF, PNM or
    /// QOI. The content decides the format, not the extension. Of an animation or several
    /// pages, decodes the first.
    ///
    /// Colors are converted as [above](Self#color). The EXIF orientation is applied; one in
    /// XMP alone is ignored.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Mismatch`] for an empty file, a
    /// folder, a pipe or a device; [`PictureError::Format`] for a file that is not an image;
    /// [`PictureError::TooLarge`] above [`limits::PICTURE_PIXELS`] or
    /// [`limits::PICTURE_BYTES`]; [`PictureError::Truncated`] and [`PictureError::Decode`]
    /// for a damaged image.
    pub fn open(path: &Path) -> Result<Self> {
        decode::open(path)
    }

    /// Decodes the bytes of an image file; `path` is for messages.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except [`Error::Io`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        decode::decode(bytes, path, DecodeOptions::default(), |_| ())
    }

    /// Like [`decode`](Self::decode). Before allocating, calls `reserve` with the bytes that
    /// the picture may use until it is preprocessed: decoded values, a copy of them,
    /// metadata and the weights of a resize, but not `bytes`. `reserve` may block until
    /// memory is available; see [`Budget`].
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn decode_reserving(bytes: &[u8], path: &Path, reserve: impl FnOnce(u64)) -> Result<Self> {
        decode::decode(bytes, path, DecodeOptions::default(), reserve)
    }

    /// Like [`decode_reserving`](Self::decode_reserving), with options.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode); [`PictureError::Truncated`] only where the options
    /// do not allow it.
    pub fn decode_with(
        bytes: &[u8],
        path: &Path,
        options: DecodeOptions,
        reserve: impl FnOnce(u64),
    ) -> Result<Self> {
        decode::decode(bytes, path, options, reserve)
    }

    /// Creates a picture from values (height, width, 3), row by row.
    ///
    /// # Errors
    /// [`PictureError::Values`] if the number of values is 0 or not 3 times the area.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        // A saturated product equals the length of no Vec.
        let expected = u64::from(width).saturating_mul(u64::from(height)).saturating_mul(3);
        if expected == 0 || expected != rgb.len() as u64 {
            return Err(Error::Picture(PictureError::Values {
                width,
                height,
                expected,
                found: rgb.len(),
            }));
        }
        Ok(Picture { width, height, rgb })
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the values (height, width, 3), row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}
