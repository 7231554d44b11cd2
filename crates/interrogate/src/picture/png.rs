//! Whether the palette of a PNG file that is painted by one is a palette.
//!
//! The decoder (png 0.18.1) takes whole colours from it, 256 at most, and panics
//! where there is a part of one or more. Owns the walk over chunks (ISO/IEC 15948,
//! sections 5.3 and 11.2); the decoding is the `image` crate's.

/// Where the first chunk begins: behind the signature.
const CHUNKS: usize = 8;

/// Where the header says what a pixel is, and what it says of an index of the palette.
const COLOUR: (usize, u8) = (25, 3);

/// The most bytes of a palette: 256 colours of three.
const MOST: usize = 768;

/// The length of the first palette that holds a part of a colour, none, or more than
/// 256 of them, where there is such a one and pixels are indices of it.
pub(super) fn odd_palette(bytes: &[u8]) -> Option<usize> {
    let (at, indexed) = COLOUR;
    let mut rest = bytes.get(CHUNKS..).filter(|_| bytes.get(at) == Some(&indexed))?;
    while let Some((&[s0, s1, s2, s3, a, b, c, d], after)) = rest.split_first_chunk::<8>() {
        let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
        if [a, b, c, d] == *b"PLTE" && (!(1..=MOST).contains(&size) || !size.is_multiple_of(3)) {
            return Some(size);
        }
        // The checksum's four bytes.
        rest = after.get(size.saturating_add(4)..).unwrap_or_default();
    }
    None
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
