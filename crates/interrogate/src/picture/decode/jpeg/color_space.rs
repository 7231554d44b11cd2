//! The color space of a JPEG, as libjpeg chooses it.

use std::borrow::Cow;

use super::{APP0, APP14, FILL, Segment, segments};
use crate::limits;

/// A color space of three or four components, numbered as the transforms of an Adobe segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColorSpace {
    /// RGB or CMYK.
    Raw = 0,
    YCbCr = 1,
    Ycck = 2,
}

/// Returns the color space that libjpeg would choose (`default_decompress_parms` of
/// libjpeg-turbo's jdapimin.c) from a JFIF segment, the transform of an Adobe segment and the
/// components' ids. `None` for other than three or four components.
///
/// Three components: a JFIF segment means YCbCr, whatever the Adobe segment says; without
/// either, the components' ids decide.
fn choose(jfif: bool, adobe: Option<u8>, ids: &[u8]) -> Option<ColorSpace> {
    match (ids, jfif, adobe) {
        ([_, _, _], true, _) => Some(ColorSpace::YCbCr),
        ([_, _, _], false, Some(0)) => Some(ColorSpace::Raw),
        ([_, _, _], false, Some(_)) => Some(ColorSpace::YCbCr),
        (b"RGB", false, None) => Some(ColorSpace::Raw),
        ([_, _, _], false, None) => Some(ColorSpace::YCbCr),
        ([_, _, _, _], _, Some(0) | None) => Some(ColorSpace::Raw),
        ([_, _, _, _], _, Some(_)) => Some(ColorSpace::Ycck),
        _ => None,
    }
}

/// Returns the color space of a file of three or four components.
pub(super) fn color_space(bytes: &[u8]) -> Option<ColorSpace> {
    let (mut jfif, mut adobe, mut ids) = (false, None, Vec::new());
    for segment in segments(bytes) {
        jfif |= is_jfif(&segment);
        adobe = transform(&segment).or(adobe);
        ids = component_ids(&segment).unwrap_or(ids);
    }
    choose(jfif, adobe, &ids)
}

fn is_jfif(segment: &Segment<'_>) -> bool {
    segment.marker == APP0 && segment.data.starts_with(b"JFIF\0") && segment.data.len() >= 12
}

/// Returns the transform of an Adobe segment.
fn transform(segment: &Segment<'_>) -> Option<u8> {
    let is_adobe = segment.marker == APP14 && segment.data.starts_with(b"Adobe");
    if is_adobe { segment.data.get(11).copied() } else { None }
}

/// Returns the components' ids of a frame header.
fn component_ids(segment: &Segment<'_>) -> Option<Vec<u8>> {
    // Without DHT, JPG and DAC, whose numbers lie between theirs.
    let is_frame =
        matches!(segment.marker, 0xc0..=0xcf) && ![0xc4, 0xc8, 0xcc].contains(&segment.marker);
    let parts = segment.data.get(6..).unwrap_or_default().chunks_exact(3);
    is_frame.then(|| parts.map(|part| part[0]).collect())
}

/// Returns the file with an Adobe segment that names the color space that libjpeg would
/// choose, if the decoder would choose another.
///
/// Four components are inverted, as Pillow reads them all. Application data and comments of more than [`limits::METADATA`] bytes are removed.
pub(super) fn with_adobe_segment(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut jfif, mut adobe, mut ids) = (false, None, Vec::new());
    let (mut removed, mut others, mut others_bytes) = (Vec::new(), Vec::new(), 0);
    for segment in segments(bytes) {
        jfif |= is_jfif(&segment);
        ids = component_ids(&segment).unwrap_or(ids);
        let Segment { marker, start, end, data } = segment;
        if let Some(transform) = transform(&segment) {
            adobe = Some(transform);
            removed.push(start..end);
        } else if matches!(marker, 0xe1..=0xef | 0xfe) {
            // Application data and comments.
            others_bytes += data.len();
            others.push(start..end);
        }
    }
    let Some(color) = choose(jfif, adobe, &ids) else { return Cow::Borrowed(bytes) };
    let transform = color as u8;
    // The decoder would copy these segments.
    let large = others_bytes > limits::METADATA;
    if !large && (adobe == Some(transform) || (adobe.is_none() && color == ColorSpace::YCbCr)) {
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
