//! The two activations that CLIP checkpoints name, over slices.
//!
//! Owns the functions and their accuracy. Where they run (fused behind a
//! product, on all threads) is for `linear`.

use std::path::Path;

use crate::{Error, Result};

/// What stands between the two products of a layer's MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    /// `x * sigmoid(1.702 x)`: OpenAI's checkpoints.
    QuickGelu,
    /// `x * Phi(x)` with the exact error function: OpenCLIP's and TinyCLIP.
    Gelu,
}

impl Activation {
    /// The activation that `hidden_act` in the config.json at `path` names.
    pub(super) fn named(name: &str, path: &Path) -> Result<Self> {
        match name {
            "quick_gelu" => Ok(Activation::QuickGelu),
            "gelu" => Ok(Activation::Gelu),
            _ => Err(Error::mismatch(path, "hidden_act", "quick_gelu or gelu", name)),
        }
    }

    /// Replaces each of `values` by its activation.
    ///
    /// Branch-free loops without calls, so that the compiler makes vector code.
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Activation::QuickGelu => values.iter_mut().for_each(|x| *x = quick_gelu(*x)),
            Activation::Gelu => values.iter_mut().for_each(|x| *x = gelu(*x)),
        }
    }
}

/// The sigmoid approximation of Hendrycks & Gimpel (arXiv 1606.08415).
#[inline(always)]
fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// e^x to 2 units in the last place; saturates at e^-87 and e^88, beyond which
/// the sigmoid above has no digit left to lose.
///
/// Splits x = n ln 2 + r with |r| <= ln 2 / 2, takes the Taylor polynomial of
/// degree 7 (its rest is below r^8/8! < 6e-9) and puts n into the exponent.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with trailing zeros so that n * HIGH is exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // The low bits of `shifted` count n up from those of ROUND. n lies in
    // -126..=127 by the clamp, so n + 127 is the exponent of a normal number.
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

/// The error function, off by 3e-7 at most.
///
/// The odd rational approximation x P(x^2) / Q(x^2) on [-4, 4] that XLA and
/// Eigen use for f32; beyond 4 the error function is 1 to the last digit but one.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let p = -2.726_142_3e-10;
    let p = p * z + 2.770_681_5e-8;
    let p = p * z - 2.101_024e-6;
    let p = p * z - 5.692_506_4e-5;
    let p = p * z - 7.349_906e-4;
    let p = p * z - 2.954_6e-3;
    let p = p * z - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * z - 2.133_740_6e-4;
    let q = q * z - 1.682_827e-3;
    let q = q * z - 7.373_329e-3;
    let q = q * z - 1.426_473_9e-2;
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x`, `x * sigmoid(1.702 x)` and `x/2 (1 + erf(x/sqrt 2))` in f64 by
    /// Python 3.11: `x / (1 + math.exp(-1.702 * x))`, `x / 2 * (1 + math.erf(x / 2**.5))`.
    const GOLDEN: [(f32, f64, f64); 9] = [
        (-6.0, -0.00022035354978739246, -5.919525869479969e-09),
        (-2.5, -0.03498616504857008, -0.015524163314440398),
        (-1.0, -0.1542042340671787, -0.15865525393145707),
        (-0.25, -0.09880035009980583, -0.10032341857926907),
        (0.0, 0.0, 0.0),
        (0.03125, 0.016040429413993113, 0.016014528669824286),
        (0.75, 0.5863900575346379, 0.5800294857173488),
        (1.5, 1.3916621984470767, 1.399789198096713),
        (5.0, 4.998992983732648, 4.999998566742141),
    ];

    fn apply(activation: Activation, x: f32) -> f64 {
        let mut values = [x];
        activation.apply(&mut values);
        f64::from(values[0])
    }

    #[test]
    fn golden_values() {
        for (x, quick, exact) in GOLDEN {
            let bound = 4e-7 * f64::from(x.abs().max(1.0));
            assert!((apply(Activation::QuickGelu, x) - quick).abs() < bound, "quick_gelu {x}");
            assert!((apply(Activation::Gelu, x) - exact).abs() < bound, "gelu {x}");
        }
    }

    #[test]
    fn the_sigmoid_agrees_with_the_standard_library_everywhere() {
        for step in -200_000..=200_000 {
            let x = step as f32 * 1e-3;
            let exact = f64::from(x) / (1.0 + (-1.702 * f64::from(x)).exp());
            let found = apply(Activation::QuickGelu, x);
            // Rounding the exponent's argument costs as many digits as it has.
            let bound = (4e-7 + 1.2e-7 * f64::from(x.abs())) * exact.abs() + 1e-30;
            assert!((found - exact).abs() <= bound, "{x}: {found}, {exact}");
        }
    }

    #[test]
    fn far_out_it_is_zero_or_the_value_itself() {
        for activation in [Activation::QuickGelu, Activation::Gelu] {
            assert!((apply(activation, 1e30) / 1e30 - 1.0).abs() < 2e-7);
            assert!(apply(activation, -60.0).abs() < 1e-5);
            assert!(apply(activation, f32::NAN).is_nan());
        }
    }

    #[test]
    fn only_the_two_names_are_known() {
        let named = |name| Activation::named(name, Path::new("config.json"));
        assert_eq!(named("quick_gelu").unwrap(), Activation::QuickGelu);
        assert_eq!(named("gelu").unwrap(), Activation::Gelu);
        let said = named("relu").unwrap_err().to_string();
        assert_eq!(said, "config.json: hidden_act: expected quick_gelu or gelu, found relu");
    }
}
