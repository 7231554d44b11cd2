//! JPEG: detects truncation and chooses the color space as libjpeg does.
//!
//! Walks the markers (ITU-T T.81, annex B). The `image` crate decodes; an Adobe segment
//! tells it the color space. `draft` decodes at a reduced size.

mod color_space;
mod draft;

use image::ImageFormat;

use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use super::generic;
use color_space::with_adobe_segment;

const FILL: u8 = 0xff;
const STUFFED: u8 = 0x00;
const TEM: u8 = 0x01;
const RST0: u8 = 0xd0;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;

pub(super) fn decode(image: &mut EncodedImage) -> Result<Rgb, DecodeError> {
    // The full decoder fills what is missing with gray.
    let whole = is_whole(image.bytes);
    if !whole && !image.allow_truncated {
        return Err(DecodeError::Truncated);
    }
    if let (Some(side), true) = (image.jpeg_draft, whole)
        && let Some(rgb) = draft::decode(image, side)?
    {
        return Ok(rgb);
    }
    let bytes = with_adobe_segment(image.bytes);
    generic::decode(image, &bytes, ImageFormat::Jpeg)
}

/// Whether the walk from marker to marker reaches the end-of-image marker. Embedded
/// thumbnails lie inside segments and are skipped; bytes after the marker are ignored.
/// Reads every byte of the scans once.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // The next marker: any 0xff that is neither stuffing nor fill.
        let Some(at) = memchr::memchr(FILL, rest) else { return false };
        let Some(&marker) = rest.get(at + 1) else { return false };
        match marker {
            EOI => return true,
            FILL => rest = &rest[at + 1..],
            STUFFED | TEM | RST0..=SOI => rest = &rest[at + 2..],
            _ => {
                let Some(&[high, low]) = rest.get(at + 2..at + 4) else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(at + 2 + length.max(2)..) else { return false };
                rest = after;
            }
        }
    }
}

/// A segment before the first scan.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// Offset of its marker.
    start: usize,
    /// Offset after its last byte.
    end: usize,
    pub(super) data: &'a [u8],
}

/// Iterates over the segments before the first scan.
pub(super) fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 2;
    std::iter::from_fn(move || {
        while bytes.get(at..at + 2)? == [FILL, FILL] {
            at += 1;
        }
        let &[FILL, marker, high, low] = bytes.get(at..at + 4)?.first_chunk()? else {
            return None;
        };
        if matches!(marker, STUFFED | TEM | RST0..=SOS) {
            return None;
        }
        let (start, end) = (at, at + 2 + usize::from(u16::from_be_bytes([high, low])));
        let data = bytes.get(at + 4..end)?;
        at = end;
        Some(Segment { marker, start, end, data })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_image_is_found_after_stuffing_fill_restarts_and_a_second_scan() {
        let scans = b"\xff\xd8\xff\xda\x00\x02ab\xff\x00c\xff\xd3d\xff\xff\xda\x00\x03xe\xff\xd9";
        assert!(is_whole(scans));
        for end in 0..scans.len() {
            assert!(!is_whole(&scans[..end]), "{end}");
        }
    }

    #[test]
    fn end_of_image_of_a_thumbnail_is_ignored() {
        assert!(!is_whole(b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xda\x00\x02ab"));
    }

    #[test]
    fn bytes_after_end_of_image_are_ignored() {
        assert!(is_whole(b"\xff\xd8\xff\xd9 and a trailer"));
    }
}
