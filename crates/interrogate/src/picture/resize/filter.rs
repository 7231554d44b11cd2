//! Resampling filters, by the numbers that configurations use.

use std::f64::consts::PI;

/// A resampling filter: the weights of neighboring pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel: Pillow's `NEAREST`, 0.
    Nearest,
    /// A sinc windowed by a sinc three times as wide: Pillow's `LANCZOS`, 1.
    Lanczos,
    /// A triangle: Pillow's `BILINEAR`, 2.
    Bilinear,
    /// Keys' cubic convolution with a = -0.5: Pillow's `BICUBIC`, 3.
    #[default]
    Bicubic,
    /// The mean: Pillow's `BOX`, 4.
    Box,
    /// A sinc in a Hamming window: Pillow's `HAMMING`, 5.
    Hamming,
}

impl Filter {
    /// Returns the filter of this number in Pillow's `Image.Resampling`, which `resample` in
    /// a configuration refers to.
    pub fn from_pillow(number: u32) -> Option<Self> {
        use Filter::*;
        [Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming].get(number as usize).copied()
    }

    /// Returns the distance beyond which the weight is 0, in pixels of the smaller scale.
    pub(super) fn support(self) -> f64 {
        match self {
            Filter::Nearest | Filter::Box => 0.5,
            Filter::Bilinear | Filter::Hamming => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    /// Returns the weight of a neighbor at distance `x`, in Pillow's order of operations.
    pub(super) fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        let far = x.abs();
        match self {
            Filter::Nearest | Filter::Box => f64::from(x > -0.5 && x <= 0.5),
            Filter::Bilinear if far < 1.0 => 1.0 - far,
            Filter::Bicubic if far < 1.0 => (1.5 * far - 2.5) * far * far + 1.0,
            Filter::Bicubic if far < 2.0 => (((far - 5.0) * far + 8.0) * far - 4.0) * -0.5,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Hamming if far == 0.0 => 1.0,
            Filter::Hamming if far < 1.0 => {
                // Pillow's constants are f32.
                let window = f64::from(0.54f32) + f64::from(0.46f32) * (far * PI).cos();
                (far * PI).sin() / (far * PI) * window
            }
            _ => 0.0,
        }
    }
}
