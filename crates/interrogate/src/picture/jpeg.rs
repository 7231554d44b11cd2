//! Whether a JPEG file is all there.
//!
//! The decoder fills what is missing with grey and calls it a picture, so the
//! end is looked for first. Owns the walk over markers (ITU-T T.81, annex B);
//! the decoding is the `image` crate's.

const FILL: u8 = 0xff;
const STUFFED: u8 = 0x00;
const TEM: u8 = 0x01;
const RST0: u8 = 0xd0;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;

/// Whether the end-of-image marker is reached, walking from marker to marker.
/// Embedded thumbnails lie inside segments and are stepped over; what follows
/// the marker is no concern. Reads every byte of the scans once.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
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
}
