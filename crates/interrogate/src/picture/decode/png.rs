//! PNG: decodes the pixels and ignores most ancillary chunks.
//!
//! Walks the chunks (ISO/IEC 15948, sections 5.3 and 11.2) and verifies the checksums of
//! the header and the palette, as Pillow does, which ignores those of the pixels. Profiles
//! and texts are not decompressed: a megabyte of them may expand to a gigabyte. The `png`
//! crate decodes the pixels.

use std::borrow::Cow;
use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use super::channels::{gray, gray_without_alpha, without_alpha};
use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use crate::{Error, limits};

/// Offset of the first chunk, after the signature.
const CHUNKS: usize = 8;

/// Offset of the header's color type.
const COLOR_TYPE: usize = 25;

/// The color type of pixels that are indices into the palette.
const INDEXED: u8 = 3;

/// Largest size of a palette in bytes: 256 colors of three.
const MAX_PALETTE: usize = 768;

/// The last chunk.
const END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

pub(super) fn decode(image: &mut EncodedImage) -> Result<Rgb, DecodeError> {
    if let Some(size) = invalid_palette(image.bytes) {
        let expected = "3 bytes for each of 1 to 256 colors";
        return Err(Error::mismatch(image.path, "palette", expected, size).into());
    }
    if !checksums_match(image.bytes) {
        return Err(DecodeError::Decoder("the header's or the palette's checksum is wrong".into()));
    }
    let bytes = normalized(image.bytes);
    let limits = Limits { bytes: limits::PICTURE_BYTES as usize };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.ignore_checksums(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(decode_error)?;
    let (width, height) = header.size();
    let channels = header.color_type.samples() as u64 * (header.bit_depth as u64).div_ceil(8);
    let area = u64::from(width) * u64::from(height);
    image.reserve(width, height, area.saturating_mul(channels.max(3)))?;
    let mut reader = decoder.read_info().map_err(decode_error)?;
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| DecodeError::Decoder("it is too large".into()))?;
    let mut values = vec![0; size];
    if let Err(error) = reader.next_frame(&mut values).map_err(decode_error)
        && !image.allow_truncated
    {
        return Err(error);
    }
    let rgb = match reader.output_color_type().0 {
        ColorType::Rgb => values,
        ColorType::Rgba => without_alpha(&values, image.background),
        ColorType::Grayscale => gray(&values, 1),
        ColorType::GrayscaleAlpha => gray_without_alpha(&values, image.background),
        ColorType::Indexed => return Err(DecodeError::Decoder("its palette is missing".into())),
    };
    Ok(Rgb { width, height, rgb })
}

fn decode_error(error: png::DecodingError) -> DecodeError {
    match error {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated
        }
        error => DecodeError::Decoder(error.into()),
    }
}

/// A chunk, which may be truncated.
struct Chunk<'a> {
    name: [u8; 4],
    /// Name, data and checksum; `None` if they are truncated.
    whole: Option<&'a [u8]>,
    /// Bytes of data, as the chunk states them.
    size: usize,
}

/// Iterates over the chunks.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(CHUNKS..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[s0, s1, s2, s3, a, b, c, d], _) = rest.split_first_chunk::<8>()?;
        let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
        let whole = rest.get(4..size.saturating_add(12));
        rest = rest.get(size.saturating_add(12)..).unwrap_or_default();
        Some(Chunk { name: [a, b, c, d], whole, size })
    })
}

/// Returns the file with its last chunk, if only that is missing. Chunks that the pixels do
/// not need are removed if they have more than [`limits::METADATA`] bytes, since the decoder
/// would copy them.
fn normalized(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut at, mut ended, mut metadata) = (CHUNKS, false, 0);
    let needed = |name: [u8; 4]| name[0].is_ascii_uppercase() || name == *b"tRNS";
    for chunk in chunks(bytes) {
        at = at.saturating_add(chunk.size).saturating_add(12);
        ended |= chunk.name == *b"IEND";
        if !needed(chunk.name) {
            metadata += chunk.size.min(bytes.len());
        }
        if ended {
            break;
        }
    }
    if metadata > limits::METADATA {
        let mut short = bytes.get(..CHUNKS).unwrap_or_default().to_vec();
        for chunk in chunks(bytes).filter(|chunk| needed(chunk.name)) {
            short.extend((chunk.size as u32).to_be_bytes());
            short.extend(chunk.whole.unwrap_or_default());
        }
        short.extend(END);
        return Cow::Owned(short);
    }
    if ended || at != bytes.len() {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned([bytes, END].concat())
}

/// Whether the checksums of the header and the palette match their data.
fn checksums_match(bytes: &[u8]) -> bool {
    let chunks = chunks(bytes).filter(|chunk| [*b"IHDR", *b"PLTE"].contains(&chunk.name));
    let matches = |whole: &[u8]| {
        let (data, sum) = whole.split_at(whole.len() - 4);
        crc32fast::hash(data).to_be_bytes() == sum
    };
    chunks.filter_map(|chunk| chunk.whole).all(matches)
}

/// Returns the size of the first palette that is empty, has more than 256 colors or a
/// partial one, if the pixels are indices into it. The decoder (png 0.18.1) panics on it.
fn invalid_palette(bytes: &[u8]) -> Option<usize> {
    bytes.get(COLOR_TYPE).filter(|&&color_type| color_type == INDEXED)?;
    let invalid = |size: &usize| !(1..=MAX_PALETTE).contains(size) || !size.is_multiple_of(3);
    chunks(bytes).filter(|chunk| chunk.name == *b"PLTE").map(|chunk| chunk.size).find(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palettes_without_whole_colors_are_found() {
        let with_type = |color_type, size: usize| {
            let chunk = |name: &[u8], size: usize| {
                [&(size as u32).to_be_bytes()[..], name, &vec![0; size + 4]].concat()
            };
            let start = b"\x89PNG\r\n\x1a\n".to_vec();
            let mut file = [start, chunk(b"IHDR", 13), chunk(b"PLTE", size)].concat();
            file[COLOR_TYPE] = color_type;
            file
        };
        let file = |size| with_type(INDEXED, size);
        for size in [3, 48, 768] {
            assert_eq!(invalid_palette(&file(size)), None);
        }
        for size in [0, 1, 49, 769, 771] {
            assert_eq!(invalid_palette(&file(size)), Some(size));
        }
        for cut in 0..file(49).len() {
            let _ = invalid_palette(&file(49)[..cut]);
        }
        // RGB pixels: the palette is not used.
        assert_eq!(invalid_palette(&with_type(2, 49)), None);
    }
}
