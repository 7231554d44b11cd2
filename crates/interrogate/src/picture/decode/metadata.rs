//! Reads the EXIF orientation. No other metadata is read anywhere.
//!
//! Finds the EXIF block in each container; the `image` crate parses it. Only EXIF counts,
//! as in browsers: an orientation in XMP alone, which Pillow's `exif_transpose` follows,
//! is ignored.

use image::ImageFormat;
use image::metadata::Orientation;

use crate::limits;

/// The prefix of EXIF in a JPEG, and by mistake in other files.
const PREFIX: &[u8] = b"Exif\0\0";

/// Returns the orientation of the image file `bytes`, or `NoTransforms` if its EXIF is
/// missing or damaged.
pub(super) fn orientation(bytes: &[u8], format: ImageFormat) -> Orientation {
    let exif = match format {
        ImageFormat::Jpeg => jpeg(bytes),
        ImageFormat::Png => chunk(bytes.get(8..), b"eXIf", u32::from_be_bytes, (0, 4)),
        ImageFormat::WebP => chunk(bytes.get(12..), b"EXIF", u32::from_le_bytes, (4, 0)),
        // EXIF has the structure of a TIFF file.
        ImageFormat::Tiff => return parse(bytes),
        _ => None,
    };
    let exif = exif.unwrap_or_default();
    let exif = exif.strip_prefix(PREFIX).unwrap_or(&exif);
    parse(exif)
}

fn parse(exif: &[u8]) -> Orientation {
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// Returns the EXIF of a JPEG, which may span segments; each has the prefix.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let parts = super::jpeg::segments(bytes).filter(|segment| segment.marker == 0xe1);
    let parts = parts.filter_map(|segment| segment.data.strip_prefix(PREFIX));
    let mut exif = Vec::new();
    // The first directory, which has the orientation, lies within the limit.
    parts
        .take_while(|part| {
            exif.extend_from_slice(part);
            exif.len() < limits::METADATA
        })
        .for_each(drop);
    (!exif.is_empty()).then_some(exif)
}

/// Returns the data of the first chunk called `name`. A PNG's chunk is size, name, data,
/// checksum; a WebP's is name, size, data, padded to an even size.
fn chunk(
    rest: Option<&[u8]>,
    name: &[u8],
    number: fn([u8; 4]) -> u32,
    (size_at, checksum): (usize, usize),
) -> Option<Vec<u8>> {
    let mut rest = rest?;
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let (front, back) = (&head[..4], &head[4..]);
        let (size, found) = if size_at == 4 { (back, front) } else { (front, back) };
        let size = number([size[0], size[1], size[2], size[3]]) as usize;
        if found == name {
            return after.get(..size).map(|data| data[..size.min(limits::METADATA)].to_vec());
        }
        let padding = if checksum == 0 { size % 2 } else { checksum };
        rest = after.get(size.saturating_add(padding)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF with orientation 6.
    const ROTATED: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

    #[test]
    fn exif_is_found_with_and_without_its_prefix() {
        for exif in [ROTATED.to_vec(), [PREFIX, ROTATED].concat()] {
            let size = exif.len() as u32;
            let sum = [0; 4];
            let png = [b"\x89PNG\r\n\x1a\n", &size.to_be_bytes()[..], b"eXIf", &exif, &sum];
            let webp = [b"RIFF\0\0\0\0WEBPEXIF", &size.to_le_bytes()[..], &exif];
            for (file, format) in
                [(png.concat(), ImageFormat::Png), (webp.concat(), ImageFormat::WebP)]
            {
                assert_eq!(orientation(&file, format), Orientation::Rotate90);
                for cut in 0..file.len() {
                    let _ = orientation(&file[..cut], format);
                }
            }
        }
    }

    #[test]
    fn a_chunk_beyond_the_end_of_the_file_is_ignored() {
        let webp = b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff";
        assert_eq!(orientation(webp, ImageFormat::WebP), Orientation::NoTransforms);
    }
}
