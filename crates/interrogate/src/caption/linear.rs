//! Products with a weight, in the precision that it is kept in.
//!
//! Between the stored weights and states of this room and the kernels of
//! [`crate::nn`]: f32 weights are laid out for the processor, halves stay in
//! the mapped file, so that a model of 7.5 GB in f16 never takes 15, and eight
//! bits are rounded from it a weight at a time, so that it takes 4.

use candle_core::{Device, Tensor};

use super::Precision;
use super::states::States;
use super::stored::{Kind, Stored};
use crate::nn::{self, Activation, Epilogue};
use crate::{Error, Result};

/// `y = x wᵀ + b`.
#[derive(Debug)]
pub(crate) struct Linear(nn::Linear);

impl Linear {
    /// `weight` holds rows of `inputs` values, one an output.
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine has no room.
    pub(crate) fn new(
        weight: Stored,
        inputs: usize,
        bias: Option<Vec<f32>>,
        precision: Precision,
    ) -> Result<Self> {
        let outputs = weight.len() / inputs;
        let tensor = |values: Vec<f32>, shape: &[usize]| {
            Tensor::from_vec(values, shape, &Device::Cpu).map_err(Error::engine("load a weight"))
        };
        let bias = bias.map(|bias| tensor(bias, &[outputs])).transpose()?;
        let (bias, shape) = (bias.as_ref(), (outputs, inputs));
        let half = |kind: Kind| {
            let kept = weight.clone().into_kind(kind);
            let (bytes, start) = kept.place();
            nn::Linear::mapped(bytes, start, kind.dtype(), shape, bias)
        };
        let (linear, kind) = match precision {
            Precision::F32 => {
                let values = tensor(weight.to_f32(), &[outputs, inputs])?;
                (nn::Linear::new(&values, bias, nn::Precision::F32)?, None)
            }
            Precision::Q8 => {
                let fill = |row: usize, out: &mut [f32]| weight.widen(row * inputs, out);
                (nn::Linear::q8(shape, fill, bias)?, None)
            }
            Precision::F16 => (half(Kind::F16)?, Some(Kind::F16)),
            Precision::Bf16 => (half(Kind::Bf16)?, Some(Kind::Bf16)),
        };
        if kind != Some(weight.kind()) {
            weight.release(); // it was copied
        }
        Ok(Linear(linear))
    }

    /// The rows of `x` (rows, inputs) through the weight: (rows, outputs).
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine fails.
    pub(crate) fn forward(&self, x: &States) -> Result<States> {
        self.forward_with(x, Activation::None)
    }

    /// The same, with `activation` on the way out.
    ///
    /// # Errors
    /// [`Error::Engine`] where the engine fails.
    pub(crate) fn forward_with(&self, x: &States, activation: Activation) -> Result<States> {
        let mut out = States::zeros(x.len(), self.0.outputs());
        if x.len() > 0 {
            let epilogue = Epilogue { activation, residual: None };
            self.0.apply(x.values(), x.len(), out.values_mut(), epilogue)?;
        }
        Ok(out)
    }
}

/// The sum of products, as 32 sums side by side: eight vector registers of any
/// x86-64, enough to hide an addition's latency.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    fn sum<const N: usize>(a: &[[f32; N]], b: &[[f32; N]]) -> f32 {
        let mut sums = [0.0f32; N];
        for (a, b) in a.iter().zip(b) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(s, (a, b))| *s += a * b);
        }
        sums.iter().sum()
    }
    let ((a32, a), (b32, b)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let ((a8, a), (b8, b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let rest: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sum(a32, b32) + sum(a8, b8) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that no order of additions rounds.
    #[test]
    fn products_are_the_same_for_few_rows_and_many_in_every_precision() {
        let (inputs, outputs) = (83, 300);
        let value = |i: usize| (i * 7 % 13) as f32 - 6.0;
        let weight: Vec<f32> = (0..inputs * outputs).map(value).collect();
        let bias: Vec<f32> = (0..outputs).map(value).collect();
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let stored = Stored::owned(&weight);
            let linear = Linear::new(stored, inputs, Some(bias.clone()), precision).unwrap();
            for rows in [0, 1, 5, 40] {
                let x = States::new(inputs, (0..rows * inputs).map(|i| value(i + 5)).collect());
                let found = linear.forward(&x).unwrap();
                for (x, found) in x.rows().zip(found.rows()) {
                    for (output, found) in found.iter().enumerate() {
                        let weight = &weight[output * inputs..][..inputs];
                        let products = weight.iter().zip(x).map(|(w, x)| w * x);
                        assert_eq!(*found, products.sum::<f32>() + bias[output]);
                    }
                }
                assert_eq!((found.len(), found.dim()), (rows, outputs));
            }
        }
    }
}
