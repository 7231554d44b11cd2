//! Converts interleaved channels to RGB.

/// Drops the alpha of RGBA.
pub(super) fn without_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

/// Repeats the first of every `channels` values three times.
pub(super) fn gray(values: &[u8], channels: usize) -> Vec<u8> {
    values.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect()
}
