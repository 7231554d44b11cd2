//! From the bytes of an image file to RGB: limits, format, orientation, errors.

use std::io::{Cursor, Read};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Picture, gif, jpeg, metadata, png, tiff};
use crate::error::Cause;
use crate::guard::guarded;
use crate::{Error, Result, input, limits};

/// What a decoder is asked for beside the pixels of a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Read a file that breaks off: what is missing is grey or black, as the decoder
    /// leaves it. For JPEG, PNG, GIF and TIFF; a WebP, BMP or QOI stays an error.
    pub allow_truncated: bool,
}

/// One file that is decoded.
pub(super) struct Job<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) path: &'a Path,
    pub(super) allow_truncated: bool,
    ask: &'a mut dyn FnMut(u64),
}

/// A decoded image as it is stored, not yet turned.
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: Vec<u8>,
}

/// Why a file is not decoded.
pub(super) enum Fault {
    /// It breaks off.
    Cut,
    /// The decoder's own words.
    Said(Cause),
    /// An error of this crate.
    Refused(Box<Error>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Refused(Box::new(error))
    }
}

impl Job<'_> {
    /// Compares a picture's size with the limits, then passes [`cost`] to `ask`. `bytes` are
    /// those of the values as the decoder writes them. Call it before they are allocated.
    pub(super) fn room(&mut self, width: u32, height: u32, bytes: u64) -> Result<(), Fault> {
        let pixels = u64::from(width) * u64::from(height);
        too_large(self.path, "pixels", limits::PICTURE_PIXELS, pixels)?;
        too_large(self.path, "bytes", limits::PICTURE_BYTES, bytes)?;
        (self.ask)(cost(width, height, bytes));
        Ok(())
    }
}

/// Bytes that a picture may take from its decoding to its last resize: the `bytes` of its
/// values and a copy of them (as RGB, or turned upright), its metadata, and the tables of a
/// resize.
fn cost(width: u32, height: u32, bytes: u64) -> u64 {
    // torchvision's table has up to 64 bytes for each pixel of a side.
    let side = u64::from(width.max(height).min(limits::TORCHVISION_SIDE));
    let tables = 64 * side + (size_of::<i32>() * limits::RESIZE_WEIGHTS) as u64;
    let rgb = 3 * u64::from(width) * u64::from(height); // room() has compared it
    bytes + bytes.max(rgb) + limits::METADATA as u64 + tables
}

pub(super) fn open(path: &Path) -> Result<Picture> {
    decode(&read(path)?, path, DecodeOptions::default(), |_| ())
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

pub(super) fn decode(
    bytes: &[u8],
    path: &Path,
    options: DecodeOptions,
    ask: impl FnOnce(u64),
) -> Result<Picture> {
    let format = format(bytes, path)?;
    let mut ask = Some(ask);
    let mut ask = |bytes| ask.take().into_iter().for_each(|ask| ask(bytes));
    let mut job = Job { bytes, path, allow_truncated: options.allow_truncated, ask: &mut ask };
    let failed = || Fault::Said("the decoder's own code failed on it".into());
    let decoded = guarded(failed, || pixels(&mut job, format));
    match decoded {
        Ok(rgb) => upright(rgb, metadata::orientation(bytes, format)),
        Err(Fault::Cut) => {
            Err(Error::PictureTruncated { path: path.to_owned(), bytes: bytes.len() })
        }
        Err(Fault::Said(source)) => Err(Error::PictureDecode { path: path.to_owned(), source }),
        Err(Fault::Refused(error)) => Err(*error),
    }
}

fn pixels(job: &mut Job, format: ImageFormat) -> Result<Rgb, Fault> {
    match format {
        ImageFormat::Png => png::decode(job),
        ImageFormat::Jpeg => jpeg::decode(job),
        ImageFormat::Gif => gif::decode(job),
        ImageFormat::Tiff => tiff::decode(job),
        format => generic(job, job.bytes, format),
    }
}

/// What the `image` crate makes of `bytes`, the job's or what stands for them.
pub(super) fn generic(job: &mut Job, bytes: &[u8], format: ImageFormat) -> Result<Rgb, Fault> {
    let fault = |error| match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Cut,
        error => Fault::Said(error.into()),
    };
    let mut allowed = Limits::no_limits();
    allowed.max_alloc = Some(limits::PICTURE_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allowed.clone());
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    job.room(width, height, decoder.total_bytes())?;
    allowed.reserve(decoder.total_bytes()).map_err(fault)?;
    decoder.set_limits(allowed).map_err(fault)?;
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    Ok(Rgb { width, height, rgb: rgb(image) })
}

/// The picture as its orientation has it.
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

/// The format that the first bytes tell, of those that are read here.
fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::mismatch(path, "size", "an image", "0 bytes"));
    }
    if tiff::is_big(bytes) {
        return Ok(ImageFormat::Tiff);
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
pub(super) fn opaque(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// The first of every `channels` values, three times.
pub(super) fn grey(values: &[u8], channels: usize) -> Vec<u8> {
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
        let error = Picture::decode(&broken(), Path::new("x")).unwrap_err().to_string();
        assert!(error.starts_with("x: palette: expected 3 bytes for each of 1 to 256"), "{error}");
    }

    #[test]
    fn a_panic_of_the_decoder_is_its_error() {
        let ask = |_| panic!("as a decoder does");
        let options = DecodeOptions::default();
        let bmp = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pictures/rgb.bmp");
        let bytes = std::fs::read(bmp).unwrap();
        let error = decode(&bytes, Path::new("x"), options, ask).unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "the decoder's own code failed on it");
    }
}
