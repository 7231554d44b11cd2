//! BLIP-2 with OPT in the tensor engine's operations, for its devices.
//!
//! The parts are those of the rooms beside this one, over tensors that stay on the
//! device. Of a step the scores come back, (sequences, vocabulary): which tokens go on
//! is the search's to say, on the host, the same for every device. All images of a
//! batch and all of their beams go through a step together.

mod eyes;
mod opt;
mod pool;
mod qformer;
#[cfg(test)]
mod tests;
mod vision;

use std::path::Path;

use candle_core::{Device, Tensor};

use super::super::Precision;
use super::super::checkpoint::Checkpoint;
use super::config::{Config, Text};
use super::{Blip2, Language};
use crate::nn;
use crate::nn::engine::{COPY, Dense, Norm};
use crate::{Error, Result};

pub(in crate::caption) use eyes::Eyes;
pub(in crate::caption) use pool::Pool;

/// Where weights go, and in which type.
pub(super) struct Weights<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) precision: nn::Precision,
    pub(super) device: &'a Device,
}

impl Weights<'_> {
    /// The product with `{name}.weight` (outputs, inputs) and, where there is one, its
    /// bias.
    pub(super) fn dense(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Dense> {
        let shape = [outputs, inputs];
        let weight = self.checkpoint.stored(&format!("{name}.weight"), &shape)?;
        let bias = bias.then(|| self.checkpoint.values(&format!("{name}.bias"), &[outputs]));
        self.dense_of(weight.to_f32(), shape, bias.transpose()?)
    }

    pub(super) fn dense_of(
        &self,
        weight: Vec<f32>,
        [outputs, inputs]: [usize; 2],
        bias: Option<Vec<f32>>,
    ) -> Result<Dense> {
        let kept = || -> candle_core::Result<Dense> {
            let weight = Tensor::from_vec(weight, (outputs, inputs), &Device::Cpu)?;
            let bias =
                bias.map(|bias| Tensor::from_vec(bias, outputs, &Device::Cpu)).transpose()?;
            Dense::new(&weight, bias.as_ref(), self.precision, self.device)
        };
        kept().map_err(Error::engine(COPY))
    }

    /// The layer norm of `{name}.weight` and `{name}.bias`.
    pub(super) fn norm(&self, name: &str, dim: usize, eps: f64) -> Result<Norm> {
        let weight = self.tensor(&format!("{name}.weight"), &[dim], &[dim])?;
        let bias = self.tensor(&format!("{name}.bias"), &[dim], &[dim])?;
        let norm = Norm::new(&weight, Some(&bias), eps, self.device);
        norm.map_err(Error::engine(COPY))
    }

    /// The weight `name` of `shape` in f32, seen as `seen`.
    pub(super) fn tensor(&self, name: &str, shape: &[usize], seen: &[usize]) -> Result<Tensor> {
        let values = self.checkpoint.values(name, shape)?;
        let tensor = Tensor::from_vec(values, seen, self.device);
        tensor.map_err(Error::engine(COPY))
    }
}

impl Blip2<Eyes> {
    /// With OPT, on a device; `name` is what was asked for.
    ///
    /// # Errors
    /// Those of [`super::super::open_on`].
    pub(in crate::caption) fn open_on(
        folder: &Path,
        weights: Checkpoint,
        precision: Precision,
        (device, name): (&Device, crate::Device),
    ) -> Result<Self> {
        let precision = match precision {
            Precision::F32 => nn::Precision::F32,
            Precision::F16 => nn::Precision::F16,
            Precision::Bf16 => nn::Precision::Bf16,
            Precision::Q8 => {
                return Err(Error::DeviceUnserved { what: "q8, eight-bit weights,", device: name });
            }
        };
        let config = Config::open(&folder.join("config.json"))?;
        let Text::Opt(opt) = config.text.clone() else {
            return Err(Error::DeviceUnserved { what: "BLIP-2 with Flan-T5", device: name });
        };
        Self::join(folder, weights, config, |checkpoint, config| {
            let weights = Weights { checkpoint, precision, device };
            let shape = [config.num_query_tokens, opt.hidden_size];
            let eyes = Eyes::load(&weights, config.vision, config.qformer, shape)?;
            let language: Box<dyn Language> = Box::new(opt::Opt::load(&weights, opt)?);
            Ok((eyes, language))
        })
    }
}
