//! From the bytes of an image file to RGB.

use std::io::{Cursor, Read};
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Picture, jpeg, png, webp};
use crate::guard::guarded;
use crate::{Error, Result, input, limits};

pub(super) fn open(path: &Path) -> Result<Picture> {
    decode(&read(path)?, path, |_| ())
}

/// The bytes of the image file at `path`, for [`Picture::decode`]: the first
/// ones, and the rest where those are an image's. The half of
/// [`Picture::open`] that waits for the disk.
///
/// # Errors
/// [`Error::Io`], [`Error::Mismatch`] for a folder, a pipe, a socket, a device or an
/// empty file, [`Error::PictureFormat`] for anything but an image,
/// [`Error::PictureTooLarge`] beyond [`limits::PICTURE_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, kind) = input::regular(path, "open")?;
    let mut bytes = Vec::new();
    let start = |bytes: &mut Vec<u8>| (&file).take(64).read_to_end(bytes);
    start(&mut bytes).map_err(Error::io("read", path))?;
    format(&bytes, path)?;
    too_large(path, "bytes", limits::PICTURE_BYTES, kind.len())?;
    (&file).take(limits::PICTURE_BYTES).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8], path: &Path, ask: impl FnOnce(u64)) -> Result<Picture> {
    let format = format(bytes, path)?;
    if format == ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        // The decoder would fill the rest with grey.
        return Err(Error::PictureTruncated { path: path.to_owned(), bytes: bytes.len() });
    }
    if let (ImageFormat::Png, Some(size)) = (format, png::odd_palette(bytes)) {
        return Err(Error::mismatch(path, "palette", "3 bytes for each of 1 to 256 colours", size));
    }
    pixels(bytes, format, path, ask)?.map_err(|source| match source {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::PictureTruncated { path: path.to_owned(), bytes: bytes.len() }
        }
        source => Error::PictureDecode { path: path.to_owned(), source: source.into() },
    })
}

/// Decodes within the limits, all of them checked before `ask` is told of the bytes that
/// the pixels take, and before they get room. The inner error is the decoder's.
fn pixels(
    bytes: &[u8],
    format: ImageFormat,
    path: &Path,
    ask: impl FnOnce(u64),
) -> Result<Result<Picture, ImageError>> {
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits::PICTURE_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed.clone());
    let failed = || {
        let failed = "the decoder's own code failed on it";
        ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(format), failed))
    };
    let mut decoder = match guarded(failed, || reader.into_decoder()) {
        Ok(decoder) => decoder,
        Err(e) => return Ok(Err(e)),
    };
    let (width, height) = decoder.dimensions();
    too_large(path, "pixels", limits::PICTURE_PIXELS, u64::from(width) * u64::from(height))?;
    too_large(path, "bytes", limits::PICTURE_BYTES, decoder.total_bytes())?;
    // Metadata that is damaged says nothing about the pixels. The decoder of WebP
    // takes its length at its word, so that it is asked for what is there alone.
    let told = format != ImageFormat::WebP || webp::exif_is_whole(bytes);
    let orientation = told.then(|| guarded(failed, || decoder.orientation()).ok()).flatten();
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    ask(decoder.total_bytes());
    let decoded = guarded(failed, || {
        allowed.reserve(decoder.total_bytes())?;
        decoder.set_limits(allowed)?;
        DynamicImage::from_decoder(decoder)
    });
    let upright = |image: DynamicImage| {
        let (width, height) = (image.width(), image.height());
        let rgb = image::RgbImage::from_raw(width, height, rgb(image)).unwrap_or_default();
        let mut image = DynamicImage::ImageRgb8(rgb);
        image.apply_orientation(orientation);
        (image.width(), image.height(), image.into_bytes())
    };
    match decoded.map(upright) {
        Ok((width, height, rgb)) => Picture::from_rgb(width, height, rgb).map(Ok),
        Err(e) => Ok(Err(e)),
    }
}

/// The format that the first bytes tell, of those that are read here.
fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::mismatch(path, "size", "an image", "0 bytes"));
    }
    match image::guess_format(bytes) {
        Ok(format) if format.reading_enabled() => Ok(format),
        _ => Err(Error::PictureFormat { path: path.to_owned() }),
    }
}

fn too_large(path: &Path, unit: &'static str, limit: u64, found: u64) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::PictureTooLarge { path: path.to_owned(), unit, limit, found })
}

/// Pillow's `convert("RGB")`: alpha dropped, grey repeated, the upper eight of
/// sixteen bits.
fn rgb(image: DynamicImage) -> Vec<u8> {
    let high = |values: &[u16]| values.iter().map(|v| (v >> 8) as u8).collect::<Vec<_>>();
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => opaque(&image),
        DynamicImage::ImageLuma8(image) => grey(&image, 1),
        DynamicImage::ImageLumaA8(image) => grey(&image, 2),
        DynamicImage::ImageRgb16(image) => high(&image),
        DynamicImage::ImageRgba16(image) => opaque(&high(&image)),
        DynamicImage::ImageLuma16(image) => grey(&high(&image), 1),
        DynamicImage::ImageLumaA16(image) => grey(&high(&image), 2),
        // Floats, 0 to 1.
        image => image.into_rgb8().into_raw(),
    }
}

/// RGBA without its alpha.
fn opaque(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// The first of every `channels` values, three times.
fn grey(values: &[u8], channels: usize) -> Vec<u8> {
    values.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose palette lacks the last byte.
    fn broken() -> Vec<u8> {
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
    fn a_palette_with_a_part_of_a_colour_is_refused() {
        let error = decode(&broken(), Path::new("x"), |_| ()).unwrap_err().to_string();
        assert!(error.starts_with("x: palette: expected 3 bytes for each of 1 to 256"), "{error}");
    }

    #[test]
    fn a_panic_of_the_decoder_is_its_error() {
        let read = pixels(&broken(), ImageFormat::Png, Path::new("x"), |_| ()).unwrap();
        let error = read.unwrap_err().to_string();
        assert!(error.ends_with("the decoder's own code failed on it"), "{error}");
    }
}
