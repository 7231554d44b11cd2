//! JPEG: detects truncation and chooses the color space as libjpeg does.
//!
//! Walks the markers (ITU-T T.81, annex B). The `image` crate decodes; an Adobe segment
//! tells it the color space.

use std::borrow::Cow;

use image::ImageFormat;

use super::encoded_image::{DecodeError, EncodedImage, Rgb};
use super::generic;
use crate::limits;

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
    if !image.allow_truncated && !is_whole(image.bytes) {
        // The decoder would fill the missing part with gray.
        return Err(DecodeError::Truncated);
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
        let Some(at) = rest.iter().position(|&b| b == FILL) else { return false };
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

/// The color transforms of an Adobe segment: none, YCbCr, YCCK.
const TRANSFORMS: [u8; 3] = [0, 1, 2];

/// Returns the file with an Adobe segment that names the color space that libjpeg would
/// choose (`default_decompress_parms` of libjpeg-turbo's jdapimin.c), if the decoder would
/// choose another.
///
/// Three components: a JFIF segment means YCbCr, whatever the Adobe segment says; without
/// either, the components' ids decide. Four components: inverted, as Pillow reads them
/// all. Application data and comments of more than [`limits::METADATA`] bytes are removed.
fn with_adobe_segment(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut jfif, mut adobe, mut ids) = (false, None, Vec::new());
    let (mut removed, mut others, mut others_bytes) = (Vec::new(), Vec::new(), 0);
    for Segment { marker, start, end, data } in segments(bytes) {
        match marker {
            APP0 if data.starts_with(b"JFIF\0") && data.len() >= 12 => jfif = true,
            APP14 if data.starts_with(b"Adobe") && data.len() >= 12 => {
                adobe = Some(data[11]);
                removed.push(start..end);
            }
            // Application data and comments.
            0xe1..=0xef | 0xfe => {
                others_bytes += data.len();
                others.push(start..end);
            }
            // Frame headers, without DHT, JPG and DAC, whose numbers lie between theirs.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                ids = data.get(6..).unwrap_or_default().chunks_exact(3).map(|c| c[0]).collect();
            }
            _ => {}
        }
    }
    let [raw, ycbcr, ycck] = TRANSFORMS;
    let transform = match (ids.as_slice(), jfif, adobe) {
        ([_, _, _], true, _) => ycbcr,
        ([_, _, _], false, Some(0)) => raw,
        ([_, _, _], false, Some(_)) => ycbcr,
        (b"RGB", false, None) => raw,
        ([_, _, _], false, None) => ycbcr,
        ([_, _, _, _], _, Some(0) | None) => raw,
        ([_, _, _, _], _, Some(_)) => ycck,
        _ => return Cow::Borrowed(bytes),
    };
    // The decoder would copy these segments.
    let large = others_bytes > limits::METADATA;
    if !large && (adobe == Some(transform) || (adobe.is_none() && transform == ycbcr)) {
        return Cow::Borrowed(bytes);
    }
    if large {
        removed.append(&mut others);
        removed.sort_by_key(|segment| segment.start);
    }
    let mut file = bytes[..2].to_vec();
    file.extend([FILL, APP14, 0, 14]);
    file.extend(b"Adobe\0\x64\0\0\0\0");
    file.push(transform);
    let mut at = 2;
    for segment in removed {
        file.extend(&bytes[at..segment.start]);
        at = segment.end;
    }
    file.extend(&bytes[at..]);
    Cow::Owned(file)
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

    /// Each combination that libjpeg distinguishes: JFIF, Adobe's transform, components' ids.
    #[test]
    fn the_color_space_is_that_of_libjpeg() {
        let file = |jfif: bool, adobe: Option<u8>, ids: &[u8]| {
            let mut file = b"\xff\xd8".to_vec();
            if jfif {
                file.extend(b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
            }
            if let Some(transform) = adobe {
                file.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
                file.push(transform);
            }
            file.extend([0xff, 0xc0, 0, 8 + 3 * ids.len() as u8, 8, 0, 1, 0, 1, ids.len() as u8]);
            ids.iter().for_each(|&id| file.extend([id, 0x11, 0]));
            file.extend(b"\xff\xda");
            file
        };
        let transform = |jfif, adobe, ids: &[u8]| {
            let file = file(jfif, adobe, ids);
            let file = with_adobe_segment(&file);
            let adobe: Vec<u8> = segments(&file)
                .filter(|segment| segment.marker == APP14)
                .map(|segment| segment.data[11])
                .collect();
            assert!(adobe.len() < 2 && segments(&file).any(|segment| segment.marker == 0xc0));
            adobe.first().copied()
        };
        let (three, four) = ([1, 2, 3], [1, 2, 3, 4]);
        for (jfif, adobe, ids, expected) in [
            (true, None, &three[..], None),
            (true, Some(0), &three, Some(1)),
            (true, Some(1), &three, Some(1)),
            (true, Some(2), &three, Some(1)),
            (false, Some(0), &three, Some(0)),
            (false, Some(1), &three, Some(1)),
            (false, Some(2), &three, Some(1)),
            (false, Some(9), &three, Some(1)),
            (false, None, &three, None),
            (false, None, b"RGB", Some(0)),
            (true, None, b"RGB", None),
            (false, Some(1), b"RGB", Some(1)),
            (false, None, &four, Some(0)),
            (true, Some(0), &four, Some(0)),
            (false, Some(1), &four, Some(2)),
            (false, Some(2), &four, Some(2)),
            (false, None, &[1], None),
        ] {
            assert_eq!(transform(jfif, adobe, ids), expected, "{jfif} {adobe:?} {ids:?}");
        }
        let whole = file(true, Some(0), &three);
        for cut in 0..whole.len() {
            let _ = with_adobe_segment(&whole[..cut]);
        }
    }
}
