//! Converts interleaved channels to RGB.

/// Returns a color without its `alpha`: blended onto `background`, or as it is without one.
pub(super) fn over(color: [u8; 3], alpha: u8, background: Option<[u8; 3]>) -> [u8; 3] {
    match background {
        Some(under) => [0, 1, 2].map(|channel| blend(color[channel], alpha, under[channel])),
        None => color,
    }
}

/// Converts RGBA to RGB: see [`over`].
pub(super) fn without_alpha(rgba: &[u8], background: Option<[u8; 3]>) -> Vec<u8> {
    let pixels = rgba.chunks_exact(4);
    pixels.flat_map(|pixel| over([pixel[0], pixel[1], pixel[2]], pixel[3], background)).collect()
}

/// Converts gray with alpha to RGB: see [`over`].
pub(super) fn gray_without_alpha(values: &[u8], background: Option<[u8; 3]>) -> Vec<u8> {
    let pixels = values.chunks_exact(2);
    pixels.flat_map(|pixel| over([pixel[0]; 3], pixel[1], background)).collect()
}

/// Repeats the first of every `channels` values three times.
pub(super) fn gray(values: &[u8], channels: usize) -> Vec<u8> {
    values.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect()
}

/// Blends a value of opacity `alpha` onto the opaque `under`, in the arithmetic of Pillow's
/// `alpha_composite` (src/libImaging/AlphaComposite.c): a sum of products with 7 bits more, and a
/// division by 255 by shifts.
fn blend(value: u8, alpha: u8, under: u8) -> u8 {
    let [value, alpha, under] = [value, alpha, under].map(u32::from);
    if alpha == 0 {
        return under as u8;
    }
    let sum = (value * alpha + under * (255 - alpha) + 0x80) << 7;
    ((((sum >> 8) + sum) >> 8) >> 7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_blended_or_dropped() {
        let rgba = [10, 20, 30, 0, 10, 20, 30, 255, 10, 20, 30, 128];
        assert_eq!(without_alpha(&rgba, None), [10, 20, 30, 10, 20, 30, 10, 20, 30]);
        // By Pillow 13: Image.alpha_composite over white.
        let expected = [255, 255, 255, 10, 20, 30, 132, 137, 142];
        assert_eq!(without_alpha(&rgba, Some([255; 3])), expected);
        assert_eq!(gray_without_alpha(&[10, 128], Some([255, 0, 255])), [132, 5, 132]);
        assert_eq!(gray_without_alpha(&[10, 128], None), [10, 10, 10]);
    }

    #[test]
    fn blending_rounds_to_the_nearest_value() {
        for alpha in 0..=255u8 {
            for value in 0..=255u8 {
                let exact = (f64::from(value) * f64::from(alpha)
                    + 255.0 * (255.0 - f64::from(alpha)))
                    / 255.0;
                let found = f64::from(blend(value, alpha, 255));
                assert!((found - exact).abs() <= 0.502, "{value} {alpha}: {found}, not {exact}");
            }
        }
    }
}
