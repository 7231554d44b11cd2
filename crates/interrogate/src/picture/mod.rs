//! Pictures: image files as eight-bit RGB, and as the pixels a model wants.
//!
//! Owns decoding ([`Picture`]) and what happens before an image tower
//! ([`Preprocess`]). It does not own the numbers of a checkpoint's
//! preprocessing, which `clip` reads from preprocessor_config.json, nor the
//! search for files, which is the caller's.

mod budget;
mod decode;
mod pixels;
mod preprocess;
mod resize;
#[cfg(test)]
mod tests;

pub use budget::{Budget, Share, Stage};
pub use decode::{DecodeOptions, read};
pub use pixels::Pixels;
pub use preprocess::{Centre, Preprocess, Resize};
pub use resize::{Filter, Resampling};

use std::path::Path;

#[cfg(doc)]
use crate::limits;
use crate::{Error, Result};

/// The endings of image files, in lower case and sorted: by them a folder's and an archive's
/// images are told from its other files.
pub const EXTENSIONS: &[&str] = &[
    "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "qoi", "tif",
    "tiff", "webp",
];

/// Whether `path` ends like an image file, in upper or lower case. Looks at the name alone.
pub fn has_image_extension(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether a file or folder of this name is hidden, or some system's own: what begins with a
/// dot (`._x.png` of macOS, `.ipynb_checkpoints`), `@eaDir`, `__MACOSX`, `Thumbs.db`. A folder's
/// images are never looked for there.
pub fn is_hidden(name: &std::ffi::OsStr) -> bool {
    let own = ["@eaDir", "__MACOSX", "Thumbs.db"];
    name.as_encoded_bytes().starts_with(b".")
        || own.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// A decoded image: RGB, eight bits a channel, upright (EXIF orientation
/// applied), with at least one pixel.
///
/// ```
/// use interrogate::picture::Picture;
///
/// let red = Picture::from_rgb(2, 1, vec![255, 0, 0, 254, 0, 0])?;
/// assert_eq!((red.width(), red.height()), (2, 1));
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Reads the image file at `path`: JPEG, PNG, WebP, GIF, BMP, TIFF, PNM or QOI,
    /// told apart by content, whatever the ending says. Of an animation or of
    /// several pages it is the first.
    ///
    /// Colour comes out as Pillow's `convert("RGB")` gives it: alpha is dropped
    /// and not blended, palettes are looked up, grey is repeated, CMYK is
    /// multiplied out, and no colour profile is applied. Of sixteen bits the
    /// upper eight are kept; Pillow does so for colour, but cuts grey off at
    /// 255, which turns such pictures white and is not copied here. EXIF turns a
    /// picture; an orientation in XMP alone does not.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read, [`Error::Mismatch`] for an
    /// empty file and for what is none (a folder, a pipe, a device: nothing is
    /// waited for), [`Error::PictureFormat`] for anything but an
    /// image, [`Error::PictureTooLarge`] beyond [`limits::PICTURE_PIXELS`] or
    /// [`limits::PICTURE_BYTES`], [`Error::PictureTruncated`] and [`Error::PictureDecode`]
    /// for a damaged one.
    pub fn open(path: &Path) -> Result<Self> {
        decode::open(path)
    }

    /// The same over the bytes of an image file; `path` stands for them in
    /// errors.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but for [`Error::Io`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        decode::decode(bytes, path, DecodeOptions::default(), |_| ())
    }

    /// The same; `ask` is given the bytes that the picture may take until it is prepared for
    /// a model (values as decoded, a copy of them, metadata, the tables of a resize; not
    /// `bytes`), before any of them is allocated. It may wait until there is room.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn decode_reserving(bytes: &[u8], path: &Path, ask: impl FnOnce(u64)) -> Result<Self> {
        decode::decode(bytes, path, DecodeOptions::default(), ask)
    }

    /// The same with [`DecodeOptions`].
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), but for what the options allow.
    pub fn decode_with(
        bytes: &[u8],
        path: &Path,
        options: DecodeOptions,
        ask: impl FnOnce(u64),
    ) -> Result<Self> {
        decode::decode(bytes, path, options, ask)
    }

    /// A picture of the values (height, width, 3), row by row.
    ///
    /// # Errors
    /// [`Error::PictureValues`] where there are more or fewer values, or none.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        // Cannot overflow: 2^32 * 2^32 * 3 does, 2^64 / 3 does not; saturated
        // it equals no length either.
        let expected = u64::from(width).saturating_mul(u64::from(height)).saturating_mul(3);
        if expected == 0 || expected != rgb.len() as u64 {
            return Err(Error::PictureValues { width, height, expected, found: rgb.len() });
        }
        Ok(Picture { width, height, rgb })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The values (height, width, 3), row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}
