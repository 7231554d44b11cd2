//! The input and output of every decoder.

use std::num::NonZeroU32;
use std::path::Path;

use crate::error::Cause;
use crate::error::PictureError;
use crate::{Error, Result, limits};

/// An image file to decode.
pub(super) struct EncodedImage<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) path: &'a Path,
    pub(super) allow_truncated: bool,
    /// The pixels that both sides of a draft keep.
    pub(super) jpeg_draft: Option<NonZeroU32>,
    /// The color under transparent pixels; alpha is dropped without one.
    pub(super) background: Option<[u8; 3]>,
    /// Called with the number of bytes that decoding may allocate.
    pub(super) on_reserve: &'a mut dyn FnMut(u64),
}

/// A decoded image, before its orientation is applied.
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: Vec<u8>,
}

/// Why a file could not be decoded.
pub(super) enum DecodeError {
    /// The file is truncated.
    Truncated,
    /// The decoder's error.
    Decoder(Cause),
    /// An error of this crate.
    Other(Box<Error>),
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        DecodeError::Other(Box::new(error))
    }
}

impl EncodedImage<'_> {
    /// Checks the picture's size against the limits, then calls `on_reserve` with
    /// [`memory`]. `bytes` is the size of the decoder's output. Must be called before the
    /// output is allocated.
    pub(super) fn reserve(
        &mut self,
        width: u32,
        height: u32,
        bytes: u64,
    ) -> Result<(), DecodeError> {
        let pixels = u64::from(width) * u64::from(height);
        too_large(self.path, "pixels", limits::PICTURE_PIXELS, pixels)?;
        too_large(self.path, "bytes", limits::PICTURE_BYTES, bytes)?;
        (self.on_reserve)(memory(width, height, bytes));
        Ok(())
    }
}

/// Returns the bytes that a picture may use from decoding to its last resize: the decoder's
/// output of `bytes` bytes, a copy of it (as RGB, or upright), metadata, and the weight
/// tables of a resize.
fn memory(width: u32, height: u32, bytes: u64) -> u64 {
    // torchvision's table has up to 64 bytes for each pixel of a side.
    let side = u64::from(width.max(height).min(limits::TORCHVISION_SIDE));
    let tables = 64 * side + (size_of::<i32>() * limits::RESIZE_WEIGHTS) as u64;
    let rgb = 3 * u64::from(width) * u64::from(height); // within the limit: `reserve` checked it
    bytes + bytes.max(rgb) + limits::METADATA as u64 + tables
}

/// Refuses a picture of more than `limit` of `unit`.
pub(super) fn too_large(path: &Path, unit: &'static str, limit: u64, found: u64) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Picture(PictureError::TooLarge { path: path.to_owned(), unit, limit, found }))
}
