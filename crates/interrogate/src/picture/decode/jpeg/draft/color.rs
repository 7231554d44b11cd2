//! From planes to RGB, in the arithmetic of libjpeg (jdsample.c, jdcolor.c) and of Pillow's
//! conversion of CMYK.

use super::super::color_space::ColorSpace;
use super::frame::Frame;

/// Interleaves the planes of the components, each as wide as its padded blocks.
pub(super) fn to_rgb(frame: &Frame, planes: &[Vec<u8>], color: ColorSpace) -> Option<Vec<u8>> {
    let [width, height] = frame.size;
    let mut rgb = vec![0; 3 * width * height];
    let mut rows: Vec<Vec<u8>> = vec![vec![0; width + 1]; planes.len()];
    for (y, out) in rgb.chunks_exact_mut(3 * width).enumerate() {
        for ((component, plane), row) in frame.components.iter().zip(planes).zip(&mut rows) {
            let stride = component.padded[0] * component.side;
            let from = plane.get(y * stride..)?.get(..component.width)?;
            match component.stretch {
                1 => row.get_mut(..width)?.copy_from_slice(from.get(..width)?),
                _ => double(from, row, frame.divisor < 8)?,
            }
        }
        let (out, _) = out.as_chunks_mut::<3>();
        convert(out, &rows, color)?;
    }
    Some(rgb)
}

/// Doubles the columns of `from`: three parts of the nearer pixel and one of the next, or `smooth`
/// is false, copies. `out` has one value more than the image is wide.
fn double(from: &[u8], out: &mut [u8], smooth: bool) -> Option<()> {
    let width = from.len();
    let out = out.get_mut(..)?;
    // libjpeg copies rows of one or two pixels.
    let smooth = smooth && width > 2;
    let (pairs, last) = out.as_chunks_mut::<2>();
    let mix =
        |near: u8, far: u8, round: u16| ((3 * u16::from(near) + u16::from(far) + round) >> 2) as u8;
    let both = |x: usize| {
        let near = from[x];
        if !smooth {
            return [near; 2];
        }
        let left = if x == 0 { near } else { mix(near, from[x - 1], 1) };
        let right = if x + 1 == width { near } else { mix(near, from[x + 1], 2) };
        [left, right]
    };
    pairs.iter_mut().take(width).enumerate().for_each(|(x, pair)| *pair = both(x));
    if let ([last], true) = (last, pairs.len() < width) {
        *last = both(pairs.len())[0];
    }
    Some(())
}

/// Converts one row.
fn convert(out: &mut [[u8; 3]], rows: &[Vec<u8>], color: ColorSpace) -> Option<()> {
    match (rows, color) {
        ([gray], _) => out.iter_mut().zip(gray).for_each(|(out, &gray)| *out = [gray; 3]),
        ([a, b, c], ColorSpace::Raw) => {
            let values = a.iter().zip(b).zip(c);
            out.iter_mut().zip(values).for_each(|(out, ((&a, &b), &c))| *out = [a, b, c]);
        }
        ([y, cb, cr], ColorSpace::YCbCr) => {
            let values = y.iter().zip(cb).zip(cr);
            out.iter_mut().zip(values).for_each(|(out, ((&y, &cb), &cr))| *out = rgb(y, cb, cr));
        }
        ([a, b, c, k], ColorSpace::Raw | ColorSpace::Ycck) => {
            let values = a.iter().zip(b).zip(c.iter().zip(k));
            for (out, ((&a, &b), (&c, &k))) in out.iter_mut().zip(values) {
                // Adobe's values are inverted.
                let inks = match color {
                    ColorSpace::Raw => [a, b, c].map(|value| 255 - value),
                    _ => rgb(a, b, c),
                };
                *out = inks.map(|ink| k - by_255(ink, k));
            }
        }
        _ => return None,
    }
    Some(())
}

/// `YCbCr` to RGB, with 16 bits after the point.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    // 1.402, 0.344136, 0.714136 and 1.772
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// `a * b / 255`, rounded, as Pillow's `MULDIV255`.
fn by_255(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By h2v1_fancy_upsample and h2v1_upsample of libjpeg's jdsample.c.
    #[test]
    fn columns_are_doubled_as_in_libjpeg() {
        let doubled = |from: &[u8], width: usize, smooth| {
            let mut out = vec![0; width];
            double(from, &mut out, smooth).unwrap();
            out
        };
        assert_eq!(doubled(&[10, 20, 40], 6, true), [10, 13, 17, 25, 35, 40]);
        assert_eq!(doubled(&[10, 20, 40], 5, true), [10, 13, 17, 25, 35]);
        assert_eq!(doubled(&[10, 20, 40], 6, false), [10, 10, 20, 20, 40, 40]);
        assert_eq!(doubled(&[10, 20], 4, true), [10, 10, 20, 20]);
    }

    #[test]
    fn gray_stays_gray_and_colors_are_clamped() {
        assert_eq!(rgb(77, 128, 128), [77; 3]);
        assert_eq!(rgb(255, 255, 0), [76, 255, 255]);
        assert_eq!(rgb(0, 0, 255), [178, 0, 0]);
    }
}
