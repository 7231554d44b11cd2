//! Products with a weight, in the precision that it is kept in.
//!
//! The one place where the captioners multiply: f32 weights whole, halves
//! widened tile by tile out of the mapped file, so that a model of 7.5 GB in
//! f16 never takes 15.

use candle_core::{Device, Tensor};

use super::Precision;
use super::activation::Activation;
use super::states::States;
use super::stored::{Kind, Stored};
use crate::{Error, Result};

/// Outputs that are widened at a time: with 2,560 inputs a tile is 2.6 MB,
/// which the caches hold while it is multiplied.
const TILE: usize = 256;

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
        let rows = x.len();
        let x = Tensor::from_slice(x.values(), (rows, self.inputs), &Device::Cpu)?;
        match &self.weight {
            Weight::Whole(weight) => {
                let out = x.matmul(&weight.t()?)?;
                Ok(States::new(self.outputs, out.flatten_all()?.to_vec1()?))
            }
            Weight::Half(weight) => {
                let mut out = States::zeros(rows, self.outputs);
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
}
