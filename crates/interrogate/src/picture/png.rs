//! PNG: critical chunks alone are read.
//!
//! Owns the walk over chunks (ISO/IEC 15948, sections 5.3 and 11.2) and which checksums
//! count: the header's and the palette's, as in Pillow, which does not compare those of
//! pixels. Profiles and texts are not unpacked: a megabyte of them may hold a gigabyte.
//! The decoding is the `png` crate's.

use std::borrow::Cow;
use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use super::decode::{Fault, Job, Rgb, grey, opaque};
use crate::{Error, limits};

/// Where the first chunk begins: behind the signature.
const CHUNKS: usize = 8;

/// Where the header says what a pixel is, and what it says of an index of the palette.
const COLOUR: (usize, u8) = (25, 3);

/// The most bytes of a palette: 256 colours of three.
const MOST: usize = 768;

/// The last chunk.
const END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

pub(super) fn decode(job: &mut Job) -> Result<Rgb, Fault> {
    if let Some(size) = odd_palette(job.bytes) {
        let expected = "3 bytes for each of 1 to 256 colours";
        return Err(Error::mismatch(job.path, "palette", expected, size).into());
    }
    if !sums_are_right(job.bytes) {
        return Err(Fault::Said("the header's or the palette's checksum is wrong".into()));
    }
    let bytes = ended(job.bytes);
    let limits = Limits { bytes: limits::PICTURE_BYTES as usize };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.ignore_checksums(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(fault)?;
    let (width, height) = header.size();
    let channels = header.color_type.samples() as u64 * (header.bit_depth as u64).div_ceil(8);
    let area = u64::from(width) * u64::from(height);
    job.room(width, height, area.saturating_mul(channels.max(3)))?;
    let mut reader = decoder.read_info().map_err(fault)?;
    let size = reader.output_buffer_size().ok_or_else(|| Fault::Said("it is too large".into()))?;
    let mut values = vec![0; size];
    if let Err(error) = reader.next_frame(&mut values).map_err(fault)
        && !job.allow_truncated
    {
        return Err(error);
    }
    let rgb = match reader.output_color_type().0 {
        ColorType::Rgb => values,
        ColorType::Rgba => opaque(&values),
        ColorType::Grayscale => grey(&values, 1),
        ColorType::GrayscaleAlpha => grey(&values, 2),
        ColorType::Indexed => return Err(Fault::Said("its palette is missing".into())),
    };
    Ok(Rgb { width, height, rgb })
}

fn fault(error: png::DecodingError) -> Fault {
    match error {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::Cut
        }
        error => Fault::Said(error.into()),
    }
}

/// A chunk, as far as it is there.
struct Chunk<'a> {
    name: [u8; 4],
    /// Name, data and checksum; `None` where they are cut off.
    whole: Option<&'a [u8]>,
    size: usize,
}

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

/// The file with its last chunk, where nothing else is missing; without what is not needed
/// for pixels, where that has more than [`limits::METADATA`] bytes, of which the decoder
/// would make copies.
fn ended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut at, mut ended, mut more) = (CHUNKS, false, 0);
    let needed = |name: [u8; 4]| name[0].is_ascii_uppercase() || name == *b"tRNS";
    for chunk in chunks(bytes) {
        at = at.saturating_add(chunk.size).saturating_add(12);
        ended |= chunk.name == *b"IEND";
        if !needed(chunk.name) {
            more += chunk.size.min(bytes.len());
        }
        if ended {
            break;
        }
    }
    if more > limits::METADATA {
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

/// Whether the checksums of the header and of the palette are those of their data.
fn sums_are_right(bytes: &[u8]) -> bool {
    let chunks = chunks(bytes).filter(|chunk| [*b"IHDR", *b"PLTE"].contains(&chunk.name));
    let right = |whole: &[u8]| {
        let (data, sum) = whole.split_at(whole.len() - 4);
        crc32fast::hash(data).to_be_bytes() == sum
    };
    chunks.filter_map(|chunk| chunk.whole).all(right)
}

/// The length of the first palette that holds a part of a colour, none, or more than
/// 256 of them, where there is such a one and pixels are indices of it. The decoder
/// (png 0.18.1) panics on it.
fn odd_palette(bytes: &[u8]) -> Option<usize> {
    let (at, indexed) = COLOUR;
    bytes.get(at).filter(|&&colour| colour == indexed)?;
    let odd = |size: &usize| !(1..=MOST).contains(size) || !size.is_multiple_of(3);
    chunks(bytes).filter(|chunk| chunk.name == *b"PLTE").map(|chunk| chunk.size).find(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_is_of_whole_colours() {
        let colour = |colour, size: usize| {
            let chunk = |name: &[u8], size: usize| {
                [&(size as u32).to_be_bytes()[..], name, &vec![0; size + 4]].concat()
            };
            let start = b"\x89PNG\r\n\x1a\n".to_vec();
            let mut file = [start, chunk(b"IHDR", 13), chunk(b"PLTE", size)].concat();
            file[25] = colour;
            file
        };
        let file = |size| colour(3, size);
        for size in [3, 48, 768] {
            assert_eq!(odd_palette(&file(size)), None);
        }
        for size in [0, 1, 49, 769, 771] {
            assert_eq!(odd_palette(&file(size)), Some(size));
        }
        for cut in 0..file(49).len() {
            let _ = odd_palette(&file(49)[..cut]);
        }
        // A colour of its own for each pixel: nothing looks the palette up.
        assert_eq!(odd_palette(&colour(2, 49)), None);
    }
}
