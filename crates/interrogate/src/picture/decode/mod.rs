//! Decodes an image file to upright RGB.
//!
//! Chooses the decoder by the file's first bytes, applies the EXIF orientation and turns
//! a decoder's failure, a panic included, into an [`Error`].

mod channels;
mod encoded_image;
mod generic;
mod gif;
mod jpeg;
mod metadata;
mod png;
mod tiff;

use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;

use image::{DynamicImage, ImageFormat};

use super::Picture;
use crate::error::PictureError;
use crate::guard::guarded;
use crate::{Error, Result, input, limits};
use encoded_image::{DecodeError, EncodedImage, Rgb, too_large};

/// Options of decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Decode a truncated JPEG, PNG, GIF or TIFF; the missing pixels are gray or black, as
    /// the decoder leaves them. A truncated WebP, BMP or QOI remains an error.
    pub allow_truncated: bool,
    /// The color onto which transparent pixels are blended, as Pillow's `alpha_composite` does.
    /// Without one, alpha is dropped.
    pub background: Option<[u8; 3]>,
    /// Decode a JPEG at 1/8, 1/4 or 1/2 of its size: the smallest of these at which both sides
    /// keep at least this many pixels, as Pillow's `Image.draft` does. The pixels are those of
    /// Pillow's draft. A truncated JPEG, one that is not
    /// eight-bit Huffman code in 4:4:4, 4:2:2 or 4:2:0, and other formats are decoded in full.
    ///
    /// Twice the input of a model leaves its resize two pixels to average, as Pillow's
    /// `thumbnail` does.
    pub jpeg_draft: Option<NonZeroU32>,
}

pub(super) fn open(path: &Path) -> Result<Picture> {
    decode(&read(path)?, path, DecodeOptions::default(), |_| ())
}

/// Reads the image file at `path`, for [`Picture::decode`]. Reads 64 bytes first, and the
/// rest only if those are the start of an image. This is the part of [`Picture::open`]
/// that waits for the disk.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] for a folder, a pipe, a socket, a device or an
/// empty file; [`PictureError::Format`] for a file that is not an image;
/// [`PictureError::TooLarge`] above [`limits::PICTURE_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, metadata) = input::regular(path, "open")?;
    let mut bytes = Vec::new();
    let start = |bytes: &mut Vec<u8>| (&file).take(64).read_to_end(bytes);
    start(&mut bytes).map_err(Error::io("read", path))?;
    format(&bytes, path)?;
    too_large(path, "bytes", limits::PICTURE_BYTES, metadata.len())?;
    (&file).take(limits::PICTURE_BYTES).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

pub(super) fn decode(
    bytes: &[u8],
    path: &Path,
    options: DecodeOptions,
    reserve: impl FnOnce(u64),
) -> Result<Picture> {
    let format = format(bytes, path)?;
    let mut reserve = Some(reserve);
    // A decoder reserves once; a second call does nothing.
    let mut reserve = |bytes| reserve.take().into_iter().for_each(|reserve| reserve(bytes));
    let DecodeOptions { allow_truncated, background, jpeg_draft } = options;
    let on_reserve = &mut reserve;
    let mut image =
        EncodedImage { bytes, path, allow_truncated, background, jpeg_draft, on_reserve };
    let panicked = || DecodeError::Decoder("the decoder panicked".into());
    match guarded(panicked, || decode_as(&mut image, format)) {
        Ok(rgb) => upright(rgb, metadata::orientation(bytes, format)),
        Err(DecodeError::Truncated) => Err(Error::Picture(PictureError::Truncated {
            path: path.to_owned(),
            bytes: bytes.len(),
        })),
        Err(DecodeError::Decoder(source)) => {
            Err(Error::Picture(PictureError::Decode { path: path.to_owned(), source }))
        }
        Err(DecodeError::Other(error)) => Err(*error),
    }
}

fn decode_as(image: &mut EncodedImage, format: ImageFormat) -> Result<Rgb, DecodeError> {
    match format {
        ImageFormat::Png => png::decode(image),
        ImageFormat::Jpeg => jpeg::decode(image),
        ImageFormat::Gif => gif::decode(image),
        ImageFormat::Tiff => tiff::decode(image),
        format => generic::decode(image, image.bytes, format),
    }
}

/// Applies the orientation.
fn upright(
    Rgb { width, height, rgb }: Rgb,
    orientation: image::metadata::Orientation,
) -> Result<Picture> {
    if orientation == image::metadata::Orientation::NoTransforms {
        return Picture::from_rgb(width, height, rgb);
    }
    let rgb = image::RgbImage::from_raw(width, height, rgb).unwrap_or_default();
    let mut image = DynamicImage::ImageRgb8(rgb);
    image.apply_orientation(orientation);
    Picture::from_rgb(image.width(), image.height(), image.into_bytes())
}

/// Returns the format by the file's first bytes.
fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::mismatch(path, "size", "an image", "0 bytes"));
    }
    if tiff::is_big(bytes) {
        return Ok(ImageFormat::Tiff);
    }
    match image::guess_format(bytes) {
        Ok(format) if format.reading_enabled() => Ok(format),
        _ => Err(Error::Picture(PictureError::Format { path: path.to_owned() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG whose palette lacks its last byte.
    fn png_with_short_palette() -> Vec<u8> {
        let at = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pictures");
        let mut file = std::fs::read(format!("{at}/palette-alpha.png")).unwrap();
        let start = file.windows(4).position(|name| name == b"PLTE").unwrap();
        let size = u32::from_be_bytes(file[start - 4..start].try_into().unwrap());
        let end = start + 4 + size as usize;
        let mut chunk = file[start..end - 1].to_vec();
        chunk.extend(crc32fast::hash(&chunk).to_be_bytes());
        file.splice(start..end + 4, chunk);
        file[start - 4..start].copy_from_slice(&(size - 1).to_be_bytes());
        file
    }

    #[test]
    fn a_palette_with_a_partial_color_is_refused() {
        let file = png_with_short_palette();
        let error = Picture::decode(&file, Path::new("x")).unwrap_err().to_string();
        assert!(error.starts_with("x: palette: expected 3 bytes for each of 1 to 256"), "{error}");
    }

    #[test]
    fn a_panic_of_the_decoder_is_an_error() {
        let reserve = |_| panic!("as a decoder does");
        let options = DecodeOptions::default();
        let bmp = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pictures/rgb.bmp");
        let bytes = std::fs::read(bmp).unwrap();
        let error = decode(&bytes, Path::new("x"), options, reserve).unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "the decoder panicked");
    }
}
