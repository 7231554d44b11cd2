//! TIFF and BigTIFF: the first page as Pillow's `convert("RGB")` gives it.
//!
//! Owns what the samples mean (photometric interpretation, alpha, palette); the
//! decoding is the `tiff` crate's, to which a palette's indices are shown as grey.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::TiffError;
use tiff::decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits};
use tiff::tags::{SampleFormat, Tag};

use super::decode::{Fault, Job, Rgb};
use crate::limits;

/// Tag of the photometric interpretation, and two of its values.
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Value of `Compression` for Zstandard, and the largest window that its decoder takes
/// (zstd.h, `ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const ZSTD: u16 = 50_000;
const ZSTD_WINDOW: u64 = 1 << 27;

/// Value of `ExtraSamples` for alpha that the colours are multiplied by.
const ASSOCIATED: u16 = 1;

/// What the samples of a pixel are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Grey,
    Rgb,
    Cmyk,
    YCbCr,
}

/// The first bytes of a BigTIFF, which `image` does not know.
pub(super) fn is_big(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+")
}

pub(super) fn decode(job: &mut Job) -> Result<Rgb, Fault> {
    let bytes = palette_as_grey(job.bytes);
    let colours = matches!(bytes, Cow::Owned(_));
    let most = limits::PICTURE_BYTES as usize;
    let mut allowed = Limits::default();
    allowed.decoding_buffer_size = most;
    allowed.intermediate_buffer_size = most;
    let mut decoder = Decoder::new(Cursor::new(&bytes[..])).map_err(fault)?.with_limits(allowed);
    let (width, height) = decoder.dimensions().map_err(fault)?;
    let color = decoder.colortype().map_err(fault)?;
    let (depth, samples) = (color.bit_depth(), usize::from(color.num_samples()));
    let kind = match color {
        tiff::ColorType::Gray(_) | tiff::ColorType::GrayA(_) => Kind::Grey,
        tiff::ColorType::Multiband { .. } if samples == 2 => Kind::Grey,
        tiff::ColorType::RGB(_) | tiff::ColorType::RGBA(_) => Kind::Rgb,
        tiff::ColorType::CMYK(_) | tiff::ColorType::CMYKA(_) => Kind::Cmyk,
        tiff::ColorType::YCbCr(_) => Kind::YCbCr,
        other => return Err(Fault::Said(format!("{other:?} is not read from a TIFF").into())),
    };
    let layout = decoder.image_buffer_layout().map_err(fault)?;
    if layout.sample_format != SampleFormat::Uint || !matches!(depth, 1 | 2 | 4 | 8 | 16) {
        let said = format!(
            "TIFF of {depth}-bit {:?} samples; save 8 or 16 bits a sample",
            layout.sample_format
        );
        return Err(Fault::Said(said.into()));
    }
    if depth < 8 && samples != 1 {
        return Err(Fault::Said(format!("TIFF of {samples} samples of {depth} bits").into()));
    }
    let area = u64::from(width) * u64::from(height);
    let pixels = area.saturating_mul((samples as u64 * u64::from(depth.div_ceil(8))).max(3));
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten();
    let window = if compression == Some(ZSTD) { ZSTD_WINDOW } else { 0 };
    job.room(width, height, pixels.saturating_add(window))?;
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    let associated = extra.is_some_and(|extra| extra.first() == Some(&ASSOCIATED));
    let map = match colours {
        true => Some(decoder.get_tag_u16_vec(Tag::ColorMap).map_err(fault)?),
        false => None,
    };
    let mut values = DecodingResult::U8(Vec::new());
    if let Err(error) = decoder.read_image_to_buffer(&mut values).map_err(fault)
        && !(job.allow_truncated && matches!(error, Fault::Cut))
    {
        return Err(error);
    }
    let values = bytes_of(values, depth, width as usize, map.is_none())?;
    let values = interleaved(values, samples, &layout);
    let count = width as usize * height as usize;
    if values.len() < count * samples {
        return Err(Fault::Cut);
    }
    let pixels = values.chunks_exact(samples).take(count);
    let rgb = match (kind, map) {
        (_, Some(map)) => {
            let colours = map.len() / 3;
            // Pillow keeps the upper byte. An index beyond the map is black.
            let part = |index: u8, part: usize| {
                let at = usize::from(index);
                if at < colours { (map[part * colours + at] >> 8) as u8 } else { 0 }
            };
            pixels.flat_map(|pixel| [0, 1, 2].map(|channel| part(pixel[0], channel))).collect()
        }
        (Kind::Grey, _) if samples > 1 && associated => {
            pixels.flat_map(|pixel| [divided(pixel[0], pixel[1]); 3]).collect()
        }
        (Kind::Grey, _) => pixels.flat_map(|pixel| [pixel[0]; 3]).collect(),
        (Kind::Rgb, _) if samples > 3 && associated => pixels
            .flat_map(|pixel| [0, 1, 2].map(|channel| divided(pixel[channel], pixel[3])))
            .collect(),
        (Kind::Rgb, _) => pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        (Kind::Cmyk, _) => pixels.flat_map(from_cmyk).collect(),
        (Kind::YCbCr, _) => pixels.flat_map(from_ycbcr).collect(),
    };
    Ok(Rgb { width, height, rgb })
}

/// A colour that was multiplied by `alpha`, as Pillow divides it (Convert.c, `rgbA2rgba`).
fn divided(value: u8, alpha: u8) -> u8 {
    match alpha {
        0 | 255 => value,
        alpha => (255 * u32::from(value) / u32::from(alpha)).min(255) as u8,
    }
}

/// Pillow's Convert.c, `cmyk2rgb`.
fn from_cmyk(pixel: &[u8]) -> [u8; 3] {
    let white = 255 - u32::from(pixel[3]);
    [0, 1, 2].map(|channel| {
        let product = u32::from(pixel[channel]) * white + 128;
        (white - ((product >> 8) + product) / 256) as u8
    })
}

/// JFIF's equations.
fn from_ycbcr(pixel: &[u8]) -> [u8; 3] {
    let [y, cb, cr] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// One byte a sample: the upper of sixteen bits; of fewer than eight bits, the index, or
/// where `scaled` the grey.
fn bytes_of(
    values: DecodingResult,
    depth: u8,
    width: usize,
    scaled: bool,
) -> Result<Vec<u8>, Fault> {
    match values {
        DecodingResult::U8(values) if depth == 8 => Ok(values),
        DecodingResult::U16(values) => Ok(values.iter().map(|v| (v >> 8) as u8).collect()),
        DecodingResult::U8(values) => {
            let (depth, most) = (usize::from(depth), (1u8 << depth) - 1);
            let scale = if scaled { 255 / most } else { 1 };
            let row = (width * depth).div_ceil(8);
            let sample = |row: &[u8], x: usize| {
                let bit = x * depth;
                (row[bit / 8] >> (8 - depth - bit % 8) & most) * scale
            };
            let rows = values.chunks_exact(row);
            Ok(rows.flat_map(|row| (0..width).map(move |x| sample(row, x))).collect())
        }
        _ => Err(Fault::Said("its samples are neither bytes nor 16 bits".into())),
    }
}

/// Pixel by pixel, where the file holds plane after plane.
fn interleaved(values: Vec<u8>, samples: usize, layout: &BufferLayoutPreference) -> Vec<u8> {
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

/// The file with its photometric interpretation changed from palette to grey, of which
/// the decoder reads the same samples; as it is where it has another.
fn palette_as_grey(bytes: &[u8]) -> Cow<'_, [u8]> {
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

/// Where the first directory's photometric interpretation lies (TIFF 6.0, section 2;
/// BigTIFF's design: counts, offsets and values of eight bytes).
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

fn fault(error: TiffError) -> Fault {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Fault::Cut,
        error => Fault::Said(error.into()),
    }
}
