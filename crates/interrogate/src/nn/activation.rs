//! Activation functions, and the operations that are fused to a product.

use std::path::Path;

use rayon::prelude::*;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::simd::{self, Isa, Kernel, Simd};
use crate::{Error, Result};

/// Values per task.
const TASK: usize = 16 * 1024;

/// The activation function of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) enum Activation {
    /// The identity.
    #[default]
    #[serde(rename = "linear")]
    None,
    /// `x sigmoid(1.702 x)`: OpenAI's CLIP.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// `x/2 (1 + erf(x / sqrt 2))`: OpenCLIP, BERT, BLIP-2. Within 5e-7 of the true value in
    /// both tails, which is more accurate than `1 + erf` in f32.
    #[serde(rename = "gelu")]
    Gelu,
    /// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`: T5 v1.1.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluTanh,
    /// `max(x, 0)`: OPT, T5.
    #[serde(rename = "relu")]
    Relu,
}

impl Activation {
    /// The names that [`from_name`](Self::from_name) accepts, for messages.
    pub(crate) const NAMES: &str = "gelu, gelu_new, quick_gelu or relu";

    /// Returns the activation with this name in configuration files.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = name.into_deserializer();
        Self::deserialize::<StrDeserializer<'_, ValueError>>(name).ok()
    }

    /// Returns the activation that `hidden_act` names in the configuration at `path`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for an unknown name.
    pub(crate) fn of_config(name: &str, path: &Path) -> Result<Self> {
        let unknown = || Error::mismatch(path, "hidden_act", Self::NAMES, name);
        Self::from_name(name).ok_or_else(unknown)
    }

    /// Applies the function to all values, on all threads.
    pub(crate) fn apply(self, values: &mut [f32]) {
        let part = |part: &mut [f32]| Isa::best().run(Apply(self, part));
        values.par_chunks_mut(TASK).for_each(part);
    }

    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::V) -> S::V {
        match self {
            Activation::None => x,
            Activation::QuickGelu => simd::quick_gelu(s, x),
            Activation::Gelu => simd::gelu(s, x),
            Activation::GeluTanh => simd::gelu_tanh(s, x),
            Activation::Relu => s.max(s.splat(0.0), x),
        }
    }
}

/// An activation of some values, in place.
struct Apply<'a>(Activation, &'a mut [f32]);

impl Kernel for Apply<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        Fused { activation: self.0, ..Fused::default() }.finish(s, self.1, 0, 0);
    }
}

/// The operations fused to a product, applied while its tile is in the cache:
/// `activation(product + bias) + residual`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fused<'a> {
    /// `(out)`.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    /// `(rows, out)`, like the product's output.
    pub(crate) residual: Option<&'a [f32]>,
}

impl Fused<'_> {
    /// Whether there is nothing to apply.
    pub(crate) fn is_none(&self) -> bool {
        self.bias.is_none() && self.residual.is_none() && self.activation == Activation::None
    }

    /// Applies the operations to a part of an output row. The part begins at column `column` of
    /// its row and at value `start` of the output.
    #[inline(always)]
    pub(crate) fn finish<S: Simd>(&self, s: S, row: &mut [f32], column: usize, start: usize) {
        let n = row.len();
        let bias = self.bias.map(|bias| &bias[column..column + n]);
        let residual = self.residual.map(|residual| &residual[start..start + n]);
        // One match per row, so that each loop below has one activation.
        match self.activation {
            Activation::None => finish(s, row, bias, residual, Activation::None),
            Activation::QuickGelu => finish(s, row, bias, residual, Activation::QuickGelu),
            Activation::Gelu => finish(s, row, bias, residual, Activation::Gelu),
            Activation::GeluTanh => finish(s, row, bias, residual, Activation::GeluTanh),
            Activation::Relu => finish(s, row, bias, residual, Activation::Relu),
        }
    }
}

#[inline(always)]
fn finish<S: Simd>(
    s: S,
    row: &mut [f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    activation: Activation,
) {
    let whole = row.len() - row.len() % S::LANES;
    for at in (0..whole).step_by(S::LANES) {
        let mut v = s.read(&row[at..]);
        if let Some(bias) = bias {
            v = s.add(v, s.read(&bias[at..]));
        }
        v = activation.of(s, v);
        if let Some(residual) = residual {
            v = s.add(v, s.read(&residual[at..]));
        }
        s.write(&mut row[at..], v);
    }
    if whole < row.len() {
        let mut v = s.read_part(&row[whole..], 0.0);
        if let Some(bias) = bias {
            v = s.add(v, s.read_part(&bias[whole..], 0.0));
        }
        v = activation.of(s, v);
        if let Some(residual) = residual {
            v = s.add(v, s.read_part(&residual[whole..], 0.0));
        }
        s.write_part(&mut row[whole..], v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_each_activation() {
        // torch 2.15, float64: F.gelu, F.gelu(approximate="tanh"), x*sigmoid(1.702x).
        let x = [-3.0, -1.0, -0.25, 0.0, 0.5, 2.0];
        let golden: [(Activation, [f32; 6]); 5] = [
            (Activation::None, x),
            (Activation::Relu, [0.0, 0.0, 0.0, 0.0, 0.5, 2.0]),
            (
                Activation::QuickGelu,
                [-0.018_071_31, -0.154_204_23, -0.098_800_35, 0.0, 0.350_388_44, 1.935_658_6],
            ),
            (
                Activation::Gelu,
                [-0.004_049_694, -0.158_655_25, -0.100_323_42, 0.0, 0.345_731_23, 1.954_499_7],
            ),
            (
                Activation::GeluTanh,
                [-0.003_637_392, -0.158_808_01, -0.100_324_65, 0.0, 0.345_714, 1.954_597_7],
            ),
        ];
        for (activation, expected) in golden {
            let mut found = x;
            activation.apply(&mut found);
            for (found, expected) in found.iter().zip(expected) {
                let close = (found - expected).abs() <= 1e-6 * expected.abs();
                assert!(close, "{activation:?}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn values_do_not_depend_on_their_position() {
        let x: Vec<f32> = (0..37).map(|i| (i as f32 - 18.0) * 0.37).collect();
        for activation in [Activation::QuickGelu, Activation::Gelu, Activation::GeluTanh] {
            let mut all = x.clone();
            activation.apply(&mut all);
            for (&x, y) in x.iter().zip(all) {
                let mut one = [x];
                activation.apply(&mut one);
                assert_eq!(one, [y]);
            }
        }
    }

    #[test]
    fn names_are_those_of_config_files() {
        let parse = |name: &str| serde_json::from_str::<Activation>(&format!("{name:?}"));
        assert_eq!(parse("quick_gelu").unwrap(), Activation::QuickGelu);
        assert_eq!(parse("gelu").unwrap(), Activation::Gelu);
        assert_eq!(parse("gelu_new").unwrap(), Activation::GeluTanh);
        assert_eq!(parse("relu").unwrap(), Activation::Relu);
        assert!(parse("swish").is_err());
    }
}
