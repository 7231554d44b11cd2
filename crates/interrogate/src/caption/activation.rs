//! The functions between two products, by the names that configurations use.

use rayon::prelude::*;
use serde::Deserialize;

/// An activation function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Activation {
    #[default]
    #[serde(skip)]
    None,
    /// `x Φ(x)`, by the error function.
    #[serde(rename = "gelu")]
    Gelu,
    /// Its approximation by tanh (Hendrycks and Gimpel, arXiv 1606.08415).
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
    /// `x σ(1.702 x)`.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    #[serde(rename = "relu")]
    Relu,
}

impl Activation {
    /// Applies it to every value, on all threads where that pays.
    pub(crate) fn apply(self, values: &mut [f32]) {
        let each: fn(f32) -> f32 = match self {
            Activation::None => return,
            Activation::Gelu => gelu,
            Activation::GeluTanh => gelu_tanh,
            Activation::QuickGelu => |x| x / (1.0 + (-1.702 * x).exp()),
            Activation::Relu => |x| x.max(0.0),
        };
        let chunks = values.par_chunks_mut(16_384);
        chunks.for_each(|chunk| chunk.iter_mut().for_each(|v| *v = each(*v)));
    }
}

fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
}

fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)).tanh())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of torch 2.15: `torch.nn.functional.gelu` and its kin at -1 and 2.
    #[test]
    fn each_function_gives_the_values_known_of_it() {
        for (activation, expected) in [
            (Activation::None, [-1.0, 2.0]),
            (Activation::Gelu, [-0.158_655_25, 1.954_499_7]),
            (Activation::GeluTanh, [-0.158_808, 1.954_597_7]),
            (Activation::QuickGelu, [-0.154_204_23, 1.935_658_6]),
            (Activation::Relu, [0.0, 2.0]),
        ] {
            let mut values = [-1.0, 2.0];
            activation.apply(&mut values);
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(values.iter().zip(&expected).all(near), "{activation:?} {values:?}");
        }
    }
}
