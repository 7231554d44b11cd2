//! Whether a WebP file's EXIF chunk is all there.
//!
//! The decoder makes room for as many bytes as the chunk says, up to 4 GiB, before
//! it reads one. Owns the walk over chunks (RFC 9649, section 2.3); the decoding is
//! the `image` crate's.

/// Where the first chunk begins: behind `RIFF`, the file's size and `WEBP`.
const CHUNKS: usize = 12;

/// Whether the EXIF chunk lies within the file, where there is one: walks from
/// chunk to chunk, each at an even place.
pub(super) fn exif_is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(CHUNKS..).unwrap_or_default();
    while let Some((&[a, b, c, d, s0, s1, s2, s3], after)) = rest.split_first_chunk::<8>() {
        let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
        let whole = size <= after.len();
        if [a, b, c, d] == *b"EXIF" && !whole {
            return false;
        }
        rest = after.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_says_more_than_there_is_is_found() {
        let file = |size: u8| {
            let start = b"RIFF\0\0\0\0WEBPVP8 \x03\0\0\0abc\0EXIF";
            [&start[..], &[size, 0, 0, 0], b"exif"].concat()
        };
        assert!(exif_is_whole(&file(4)));
        assert!(!exif_is_whole(&file(5)));
        for cut in 0..file(4).len() {
            let _ = exif_is_whole(&file(4)[..cut]);
        }
        assert!(exif_is_whole(b"RIFF\0\0\0\0WEBPVP8 \xff\xff\xff\xff"));
    }
}
