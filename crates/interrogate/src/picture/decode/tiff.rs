//! TIFF and BigTIFF: the first page, converted as Pillow's `convert("RGB")` does.
//!
//! Interprets the samples (photometric interpretation, alpha, palette) as the table at
//! [`Picture`](crate::picture::Picture) says. The `tiff` crate decodes them; it reads the
//! indices of a palette as gray.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::TiffError;
use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits};
use tiff::tags::{SampleFormat, Tag};

use super::channels::over;
use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use crate::limits;

/// Tag of the photometric interpretation, and two of its values.
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Value of `Compression` for Zstandard.
const ZSTD: u16 = 50_000;

/// Largest window of the Zstandard decoder (zstd.h, `ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const ZSTD_WINDOW: u64 = 1 << 27;

/// Value of `ExtraSamples` for associated alpha, by which the colors are multiplied.
const ASSOCIATED: u16 = 1;

/// Its value for alpha that the colors are not multiplied by.
const UNASSOCIATED: u16 = 2;

/// The color model of a pixel's samples.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColorModel {
    Gray,
    Rgb,
    Cmyk,
    YCbCr,
}

/// Whether these are the first bytes of a BigTIFF, which `image` does not recognize.
pub(super) fn is_big(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+")
}

pub(super) fn decode(image: &mut EncodedImage) -> Result<Rgb, DecodeError> {
    let bytes = palette_as_gray(image.bytes);
    let has_palette = matches!(bytes, Cow::Owned(_));
    let max_bytes = limits::PICTURE_BYTES as usize;
    let mut allowed = Limits::default();
    allowed.decoding_buffer_size = max_bytes;
    allowed.intermediate_buffer_size = max_bytes;
    let mut decoder =
        Decoder::new(Cursor::new(&bytes[..])).map_err(decode_error)?.with_limits(allowed);
    let (width, height) = decoder.dimensions().map_err(decode_error)?;
    let color = decoder.colortype().map_err(decode_error)?;
    let (depth, samples) = (color.bit_depth(), usize::from(color.num_samples()));
    let model = match color {
        tiff::ColorType::Gray(_) | tiff::ColorType::GrayA(_) => ColorModel::Gray,
        tiff::ColorType::Multiband { .. } if samples == 2 => ColorModel::Gray,
        tiff::ColorType::RGB(_) | tiff::ColorType::RGBA(_) => ColorModel::Rgb,
        tiff::ColorType::CMYK(_) | tiff::ColorType::CMYKA(_) => ColorModel::Cmyk,
        tiff::ColorType::YCbCr(_) => ColorModel::YCbCr,
        other => {
            return Err(DecodeError::Decoder(format!("{other:?} is not read from a TIFF").into()));
        }
    };
    let layout = decoder.image_buffer_layout().map_err(decode_error)?;
    if layout.sample_format != SampleFormat::Uint || !matches!(depth, 1 | 2 | 4 | 8 | 16) {
        let message = format!(
            "TIFF of {depth}-bit {:?} samples; save 8 or 16 bits a sample",
            layout.sample_format
        );
        return Err(DecodeError::Decoder(message.into()));
    }
    if depth < 8 && samples != 1 {
        return Err(DecodeError::Decoder(
            format!("TIFF of {samples} samples of {depth} bits").into(),
        ));
    }
    let area = u64::from(width) * u64::from(height);
    let pixels = area.saturating_mul((samples as u64 * u64::from(depth.div_ceil(8))).max(3));
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten();
    let window = if compression == Some(ZSTD) { ZSTD_WINDOW } else { 0 };
    image.reserve(width, height, pixels.saturating_add(window))?;
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    let extra = extra.and_then(|extra| extra.first().copied());
    let associated = extra == Some(ASSOCIATED);
    let background = image.background.filter(|_| associated || extra == Some(UNASSOCIATED));
    let map = if has_palette {
        Some(decoder.get_tag_u16_vec(Tag::ColorMap).map_err(decode_error)?)
    } else {
        None
    };
    let mut values = DecodingResult::U8(Vec::new());
    if let Err(error) = decoder.read_image_to_buffer(&mut values).map_err(decode_error)
        && !(image.allow_truncated && matches!(error, DecodeError::Truncated))
    {
        return Err(error);
    }
    let values = to_bytes(values, depth, width as usize, map.is_none())?;
    let values = interleave(values, samples, &layout);
    let count = width as usize * height as usize;
    if values.len() < count * samples {
        return Err(DecodeError::Truncated);
    }
    let pixels = values.chunks_exact(samples).take(count);
    let rgb = match (model, map) {
        (_, Some(map)) => {
            let colors = map.len() / 3;
            // Pillow keeps the upper byte. An index beyond the map is black.
            let value = |index: u8, channel: usize| {
                let at = usize::from(index);
                if at < colors { (map[channel * colors + at] >> 8) as u8 } else { 0 }
            };
            pixels.flat_map(|pixel| [0, 1, 2].map(|channel| value(pixel[0], channel))).collect()
        }
        (ColorModel::Gray, _) if samples > 1 && associated => {
            let gray = |pixel: &[u8]| [unpremultiply(pixel[0], pixel[1]); 3];
            pixels.flat_map(|pixel| over(gray(pixel), pixel[1], background)).collect()
        }
        (ColorModel::Gray, _) if samples > 1 => {
            pixels.flat_map(|pixel| over([pixel[0]; 3], pixel[1], background)).collect()
        }
        (ColorModel::Gray, _) => pixels.flat_map(|pixel| [pixel[0]; 3]).collect(),
        (ColorModel::Rgb, _) if samples > 3 && associated => {
            let color = |pixel: &[u8]| [0, 1, 2].map(|at| unpremultiply(pixel[at], pixel[3]));
            pixels.flat_map(|pixel| over(color(pixel), pixel[3], background)).collect()
        }
        (ColorModel::Rgb, _) if samples > 3 => pixels
            .flat_map(|pixel| over([pixel[0], pixel[1], pixel[2]], pixel[3], background))
            .collect(),
        (ColorModel::Rgb, _) => pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        (ColorModel::Cmyk, _) => pixels.flat_map(from_cmyk).collect(),
        (ColorModel::YCbCr, _) => pixels.flat_map(from_ycbcr).collect(),
    };
    Ok(Rgb { width, height, rgb })
}

/// Divides a color by the `alpha` that it was multiplied by (Pillow's Convert.c,
/// `rgbA2rgba`).
fn unpremultiply(value: u8, alpha: u8) -> u8 {
    match alpha {
        0 | 255 => value,
        alpha => (255 * u32::from(value) / u32::from(alpha)).min(255) as u8,
    }
}

/// Converts CMYK to RGB (Pillow's Convert.c, `cmyk2rgb`).
fn from_cmyk(pixel: &[u8]) -> [u8; 3] {
    let white = 255 - u32::from(pixel[3]);
    [0, 1, 2].map(|channel| {
        let product = u32::from(pixel[channel]) * white + 128;
        (white - ((product >> 8) + product) / 256) as u8
    })
}

/// Converts YCbCr to RGB by JFIF's equations.
fn from_ycbcr(pixel: &[u8]) -> [u8; 3] {
    let [y, cb, cr] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// Returns one byte a sample: the upper eight of sixteen bits; fewer than eight bits as an
/// index, or as gray from 0 to 255 if `scaled`.
fn to_bytes(
    values: DecodingResult,
    depth: u8,
    width: usize,
    scaled: bool,
) -> Result<Vec<u8>, DecodeError> {
    match values {
        DecodingResult::U8(values) if depth == 8 => Ok(values),
        DecodingResult::U16(values) => Ok(values.iter().map(|v| (v >> 8) as u8).collect()),
        DecodingResult::U8(values) => {
            let (depth, max) = (usize::from(depth), (1u8 << depth) - 1);
            let scale = if scaled { 255 / max } else { 1 };
            let row = (width * depth).div_ceil(8);
            let sample = |row: &[u8], x: usize| {
                let bit = x * depth;
                (row[bit / 8] >> (8 - depth - bit % 8) & max) * scale
            };
            let rows = values.chunks_exact(row);
            Ok(rows.flat_map(|row| (0..width).map(move |x| sample(row, x))).collect())
        }
        _ => Err(DecodeError::Decoder("its samples are neither bytes nor 16 bits".into())),
    }
}

/// Interleaves the samples if the file stores them plane by plane.
fn interleave(values: Vec<u8>, samples: usize, layout: &BufferLayoutPreference) -> Vec<u8> {
    if layout.planes < 2 || samples < 2 {
        return values;
    }
    let plane = values.len() / layout.planes;
    let planes = samples.min(layout.planes);
    (0..plane)
        .flat_map(|at| (0..planes).map(move |part| part * plane + at))
        .map(|at| values[at])
        .collect()
}

/// Returns the file with its photometric interpretation changed from palette to gray, so
/// that the decoder returns the indices. A file without a palette is returned unchanged.
fn palette_as_gray(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(at) = photometric(bytes) else { return Cow::Borrowed(bytes) };
    let little = bytes.starts_with(b"II");
    let number = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    if bytes.get(at..at + 2) != Some(&number(PALETTE)[..]) {
        return Cow::Borrowed(bytes);
    }
    let mut changed = bytes.to_vec();
    changed[at..at + 2].copy_from_slice(&number(BLACK_IS_ZERO));
    Cow::Owned(changed)
}

/// Returns the offset of the first directory's photometric interpretation (TIFF 6.0,
/// section 2; BigTIFF's design: counts, offsets and values of eight bytes).
fn photometric(bytes: &[u8]) -> Option<usize> {
    let little = bytes.starts_with(b"II");
    let number = |at: usize, len: usize| -> Option<u64> {
        let mut eight = [0; 8];
        let from = bytes.get(at..at.checked_add(len)?)?;
        if little {
            eight[..len].copy_from_slice(from);
            return Some(u64::from_le_bytes(eight));
        }
        eight[8 - len..].copy_from_slice(from);
        Some(u64::from_be_bytes(eight))
    };
    let (word, entry, count, first) = if is_big(bytes) { (8, 20, 8, 8) } else { (4, 12, 2, 4) };
    let directory = usize::try_from(number(first, word)?).ok()?;
    let entries = number(directory, count)?.min(u16::MAX.into()) as usize;
    let start = directory.checked_add(count)?;
    let at = (0..entries)
        .map(|number| start.saturating_add(number * entry))
        .find(|&at| number(at, 2) == Some(PHOTOMETRIC.into()))?;
    Some(at + entry - word)
}

fn decode_error(error: TiffError) -> DecodeError {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        error => DecodeError::Decoder(error.into()),
    }
}
