//! JPEG: whether a file is whole, and which colour space its values are in.
//!
//! Owns the walk over markers (ITU-T T.81, annex B) and libjpeg's choice of a colour
//! space; the decoding is the `image` crate's, which is told by an Adobe segment.

use std::borrow::Cow;

use image::ImageFormat;

use super::decode::{Fault, Job, Rgb, generic};
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

pub(super) fn decode(job: &mut Job) -> Result<Rgb, Fault> {
    if !job.allow_truncated && !is_whole(job.bytes) {
        // The decoder would fill the rest with grey.
        return Err(Fault::Cut);
    }
    let bytes = told(job.bytes);
    generic(job, &bytes, ImageFormat::Jpeg)
}

/// Whether the end-of-image marker is reached, walking from marker to marker.
/// Embedded thumbnails lie inside segments and are stepped over; what follows
/// the marker is no concern. Reads every byte of the scans once.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // To the next marker: any 0xff that is neither stuffing nor fill.
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
    /// Where it begins, with its marker, and where it ends.
    start: usize,
    end: usize,
    pub(super) data: &'a [u8],
}

/// The segments before the first scan.
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

/// What an Adobe segment says of the colours: nothing was done to them, YCbCr, YCCK.
const TRANSFORMS: [u8; 3] = [0, 1, 2];

/// The file with an Adobe segment that says what libjpeg would decide
/// (`default_decompress_parms` of libjpeg-turbo's jdapimin.c), where the decoder would
/// decide something else. Three components: a JFIF segment means YCbCr, whatever Adobe's
/// says; without either the components' ids do. Four: inverted, as Pillow takes them all.
fn told(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut jfif, mut adobe, mut ids) = (false, None, Vec::new());
    let (mut cut, mut others, mut more) = (Vec::new(), Vec::new(), 0);
    for Segment { marker, start, end, data } in segments(bytes) {
        match marker {
            APP0 if data.starts_with(b"JFIF\0") && data.len() >= 12 => jfif = true,
            APP14 if data.starts_with(b"Adobe") && data.len() >= 12 => {
                adobe = Some(data[11]);
                cut.push(start..end);
            }
            // Other applications' data, and comments.
            0xe1..=0xef | 0xfe => {
                more += data.len();
                others.push(start..end);
            }
            // Frames; DHT, JPG and DAC have numbers among theirs.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                ids = data.get(6..).unwrap_or_default().chunks_exact(3).map(|c| c[0]).collect();
            }
            _ => {}
        }
    }
    let [raw, ycbcr, ycck] = TRANSFORMS;
    let right = match (ids.as_slice(), jfif, adobe) {
        ([_, _, _], true, _) => ycbcr,
        ([_, _, _], false, Some(0)) => raw,
        ([_, _, _], false, Some(_)) => ycbcr,
        (b"RGB", false, None) => raw,
        ([_, _, _], false, None) => ycbcr,
        ([_, _, _, _], _, Some(0) | None) => raw,
        ([_, _, _, _], _, Some(_)) => ycck,
        _ => return Cow::Borrowed(bytes),
    };
    // The decoder would copy them.
    let heavy = more > limits::METADATA;
    if !heavy && (adobe == Some(right) || (adobe.is_none() && right == ycbcr)) {
        return Cow::Borrowed(bytes);
    }
    if heavy {
        cut.append(&mut others);
        cut.sort_by_key(|segment| segment.start);
    }
    let mut told = bytes[..2].to_vec();
    told.extend([FILL, APP14, 0, 14]);
    told.extend(b"Adobe\0\x64\0\0\0\0");
    told.push(right);
    let mut at = 2;
    for segment in cut {
        told.extend(&bytes[at..segment.start]);
        at = segment.end;
    }
    told.extend(&bytes[at..]);
    Cow::Owned(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_after_stuffing_fill_restarts_and_a_second_scan() {
        let scans = b"\xff\xd8\xff\xda\x00\x02ab\xff\x00c\xff\xd3d\xff\xff\xda\x00\x03xe\xff\xd9";
        assert!(is_whole(scans));
        for end in 0..scans.len() {
            assert!(!is_whole(&scans[..end]), "{end}");
        }
    }

    #[test]
    fn a_thumbnails_end_is_not_the_pictures() {
        assert!(!is_whole(b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9\xff\xda\x00\x02ab"));
    }

    #[test]
    fn bytes_after_the_end_do_no_harm() {
        assert!(is_whole(b"\xff\xd8\xff\xd9 and a trailer"));
    }

    /// Each combination that libjpeg decides: JFIF, Adobe's transform, components' ids.
    #[test]
    fn the_colour_space_is_libjpegs() {
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
        let says = |jfif, adobe, ids: &[u8]| {
            let file = file(jfif, adobe, ids);
            let told = told(&file);
            let adobe: Vec<u8> = segments(&told)
                .filter(|segment| segment.marker == APP14)
                .map(|segment| segment.data[11])
                .collect();
            assert!(adobe.len() < 2 && segments(&told).any(|segment| segment.marker == 0xc0));
            adobe.first().copied()
        };
        let (three, four) = ([1, 2, 3], [1, 2, 3, 4]);
        for (jfif, adobe, ids, right) in [
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
            assert_eq!(says(jfif, adobe, ids), right, "{jfif} {adobe:?} {ids:?}");
        }
        let whole = file(true, Some(0), &three);
        for cut in 0..whole.len() {
            let _ = told(&whole[..cut]);
        }
    }
}
