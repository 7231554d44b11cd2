//! Pillow's `NEAREST`.

use crate::picture::Picture;
use crate::picture::resize::Window;

/// Copies the pixel that contains the center of each pixel of the result.
pub(super) fn resize(picture: &Picture, columns: Window, rows: Window) -> Vec<u8> {
    let source_pixels = |window: Window| -> Vec<usize> {
        let scale = f64::from(window.from as f32) / window.to as f64;
        // Pillow adds the scale from pixel to pixel. Beyond Pillow's sizes, one product
        // replaces the additions.
        let (skipped, mut center) = match u32::try_from(window.start) {
            Ok(start) => (start, scale * 0.5),
            Err(_) => (0, (window.start as f64 + 0.5) * scale),
        };
        (0..skipped).for_each(|_| center += scale);
        let mut next = || {
            let here = (center as usize).min(window.from as usize - 1);
            center += scale;
            here
        };
        (0..window.len).map(|_| next()).collect()
    };
    let columns = source_pixels(columns);
    let pixel = |y: usize, x: usize| &picture.rgb[3 * (y * picture.width as usize + x)..][..3];
    let rows = source_pixels(rows);
    rows.iter().flat_map(|&y| columns.iter().flat_map(move |&x| pixel(y, x).to_vec())).collect()
}
