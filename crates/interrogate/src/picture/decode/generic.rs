//! Decodes with the `image` crate, for the formats without a decoder of their own here.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::channels::{gray, gray_without_alpha, without_alpha};
use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use crate::limits;

/// Decodes `bytes`, which are those of `image` or a modified copy of them.
pub(super) fn decode(
    image: &mut EncodedImage,
    bytes: &[u8],
    format: ImageFormat,
) -> Result<Rgb, DecodeError> {
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits::PICTURE_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed.clone());
    let mut decoder = reader.into_decoder().map_err(decode_error)?;
    let (width, height) = decoder.dimensions();
    image.reserve(width, height, decoder.total_bytes())?;
    allowed.reserve(decoder.total_bytes()).map_err(decode_error)?;
    decoder.set_limits(allowed).map_err(decode_error)?;
    let background = image.background;
    let image = DynamicImage::from_decoder(decoder).map_err(decode_error)?;
    Ok(Rgb { width, height, rgb: to_rgb(image, background) })
}

fn decode_error(error: ImageError) -> DecodeError {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        error => DecodeError::Decoder(error.into()),
    }
}

/// Converts as Pillow's `convert("RGB")` does: alpha is dropped, or blended onto `background`,
/// gray repeated, and of sixteen bits the upper eight are kept.
fn to_rgb(image: DynamicImage, background: Option<[u8; 3]>) -> Vec<u8> {
    let upper = |values: &[u16]| values.iter().map(|v| (v >> 8) as u8).collect::<Vec<_>>();
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => without_alpha(&image, background),
        DynamicImage::ImageLuma8(image) => gray(&image, 1),
        DynamicImage::ImageLumaA8(image) => gray_without_alpha(&image, background),
        DynamicImage::ImageRgb16(image) => upper(&image),
        DynamicImage::ImageRgba16(image) => without_alpha(&upper(&image), background),
        DynamicImage::ImageLuma16(image) => gray(&upper(&image), 1),
        DynamicImage::ImageLumaA16(image) => gray_without_alpha(&upper(&image), background),
        // Floats from 0 to 1.
        image => image.into_rgb8().into_raw(),
    }
}
