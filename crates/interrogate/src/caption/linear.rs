//! Products with a weight, in the precision that it is kept in.
//!
//! The one place where the captioners multiply: f32 weights whole, halves
//! widened tile by tile out of the mapped file, so that a model of 7.5 GB in
//! f16 never takes 15.

use candle_core::{Device, Storage, Tensor};
use rayon::prelude::*;

use super::Precision;
use super::activation::Activation;
use super::states::States;
use super::stored::{Kind, Stored};
use crate::{Error, Result};

/// Outputs that are widened at a time: with 2,560 inputs a tile is 2.6 MB,
/// which the caches hold while it is multiplied.
const TILE: usize = 256;
/// Rows up to which a product is bound by reading the weight: one position of
/// several beams.
const FEW: usize = 16;
/// Outputs that a thread takes at a time of such a product.
const BLOCK: usize = 32;

/// `y = x wᵀ + b`.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Weight,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
}

#[derive(Debug)]
enum Weight {
    /// (outputs, inputs).
    Whole(Tensor),
    /// The same values, still halves.
    Half(Stored),
}

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
        let weight = match weight.into_kind(precision.kind()) {
            weight if weight.kind() == Kind::F32 => {
                let whole = Tensor::from_vec(weight.to_f32(), (outputs, inputs), &Device::Cpu);
                Weight::Whole(whole.map_err(Error::engine("load a weight"))?)
            }
            weight => Weight::Half(weight),
        };
        Ok(Linear { weight, bias, inputs, outputs })
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
        let mut out = self.product(x).map_err(Error::engine("multiply"))?;
        if let Some(bias) = &self.bias {
            let add = |row: &mut [f32]| row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
            out.values_mut().chunks_exact_mut(self.outputs).for_each(add);
        }
        activation.apply(out.values_mut());
        Ok(out)
    }

    fn product(&self, x: &States) -> candle_core::Result<States> {
        match &self.weight {
            Weight::Whole(weight) if x.len() <= FEW => {
                let (storage, _) = weight.storage_and_layout();
                let Storage::Cpu(values) = &*storage else {
                    candle_core::bail!("a weight that is not on the CPU")
                };
                let values = values.as_slice::<f32>()?;
                Ok(self.dots(x, |number, _, each| {
                    each(&values[number * self.inputs..][..self.inputs]);
                }))
            }
            Weight::Half(weight) if x.len() <= FEW => Ok(self.dots(x, |number, scratch, each| {
                weight.widen(number * self.inputs, scratch);
                each(scratch);
            })),
            Weight::Whole(weight) => {
                let out = self.tensor(x)?.matmul(&weight.t()?)?;
                Ok(States::new(self.outputs, out.flatten_all()?.to_vec1()?))
            }
            Weight::Half(weight) => {
                let mut out = States::zeros(x.len(), self.outputs);
                let x = self.tensor(x)?;
                for first in (0..self.outputs).step_by(TILE) {
                    let count = TILE.min(self.outputs - first);
                    let mut tile = vec![0.0; count * self.inputs];
                    weight.widen(first * self.inputs, &mut tile);
                    let tile = Tensor::from_vec(tile, (count, self.inputs), &Device::Cpu)?;
                    let part: Vec<f32> = x.matmul(&tile.t()?)?.flatten_all()?.to_vec1()?;
                    let targets = out.values_mut().chunks_exact_mut(self.outputs);
                    for (target, part) in targets.zip(part.chunks_exact(count)) {
                        target[first..first + count].copy_from_slice(part);
                    }
                }
                Ok(out)
            }
        }
    }

    fn tensor(&self, x: &States) -> candle_core::Result<Tensor> {
        Tensor::from_slice(x.values(), (x.len(), self.inputs), &Device::Cpu)
    }

    /// The product of few rows: each weight row is read once, by one thread, and
    /// taken with every row of `x` while it is at hand. `row` gives a weight row
    /// of that number to its last argument, in the scratch if it likes.
    fn dots(
        &self,
        x: &States,
        row: impl Fn(usize, &mut Vec<f32>, &mut dyn FnMut(&[f32])) + Sync,
    ) -> States {
        let rows = x.len();
        let mut out = States::zeros(rows, self.outputs);
        if rows == 0 {
            return out;
        }
        let mut columns = vec![0.0; self.outputs * rows];
        let blocks = columns.par_chunks_mut(BLOCK * rows).enumerate();
        blocks.for_each_init(
            || vec![0.0; self.inputs],
            |scratch, (block, columns)| {
                for (place, column) in columns.chunks_exact_mut(rows).enumerate() {
                    row(block * BLOCK + place, scratch, &mut |weight| {
                        column.iter_mut().zip(x.rows()).for_each(|(c, x)| *c = dot(weight, x));
                    });
                }
            },
        );
        for (output, column) in columns.chunks_exact(rows).enumerate() {
            let targets = out.values_mut().chunks_exact_mut(self.outputs);
            targets.zip(column).for_each(|(target, value)| target[output] = *value);
        }
        out
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
            for rows in [0, 1, 5, FEW + 1] {
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
