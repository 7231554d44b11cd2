//! A device: maps are (images, height, width, channels).
//!
//! In this layout a 1 x 1 convolution is a matrix product, and a depthwise one is a sum over
//! its taps: shifted maps times one value per channel.

use candle_core::{Device, Result as CandleResult, Tensor};

use super::super::SIDE;
use super::{Classify, Convolve, same};
use crate::nn::{Along, depthwise, even, halving};
use crate::{Error, Result};

/// The maximum number of images per batch; halved while memory is short. The states of the
/// widest layer take 4.8 MB per image, and a few layers are in memory at once.
const BATCH: usize = 64;

/// Convolutions on a device.
#[derive(Debug)]
pub(in crate::starter) struct OnDevice(pub(in crate::starter) Device);

/// A kernel and its bias (out).
#[derive(Debug)]
pub(in crate::starter) struct Convolution {
    weight: Tensor,
    bias: Tensor,
}

impl Convolve for OnDevice {
    type Convolution = Convolution;
    type Maps = Tensor;

    /// A depthwise kernel (channels, 1, k, k) becomes (k * k, channels), a pointwise one
    /// (in, out).
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Convolution> {
        let load = || -> CandleResult<Convolution> {
            let weight = Tensor::from_vec(weight, shape, &Device::Cpu)?;
            let weight = match shape {
                [_, _, 3, 3] if shape[1] > 1 => weight,
                _ => weight.flatten_from(1)?.t()?.contiguous()?,
            };
            Ok(Convolution {
                weight: weight.to_device(&self.0)?,
                bias: Tensor::new(bias, &self.0)?,
            })
        };
        load().map_err(Error::tensors("copy values to the device"))
    }

    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_, Tensor>) -> Result<Vec<Vec<f32>>> {
        halving("classifying pictures", even(pictures.len(), BATCH), |part| {
            let (count, pixels) = (part.len(), pictures[part].concat());
            let pixels = Tensor::from_vec(pixels, (count, 3, SIDE, SIDE), &self.0);
            classify(pixels.map_err(failed())?)
        })
    }

    fn stem(&self, kernel: &Convolution, pictures: &Tensor) -> Result<Tensor> {
        let stem = || -> CandleResult<Tensor> {
            let x = padded(pictures)?.conv2d(&kernel.weight, 0, 2, 1, 1)?;
            relu6(&x.permute((0, 2, 3, 1))?.contiguous()?.broadcast_add(&kernel.bias)?)
        };
        stem().map_err(failed())
    }

    fn expand(&self, kernel: &Convolution, x: &Tensor) -> Result<Tensor> {
        pointwise(kernel, x).and_then(|y| relu6(&y)).map_err(failed())
    }

    fn project(
        &self,
        kernel: &Convolution,
        x: &Tensor,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let y = pointwise(kernel, x).map_err(failed())?;
        residual.map_or(Ok(y.clone()), |residual| y + residual).map_err(failed())
    }

    fn depthwise(&self, kernel: &Convolution, x: &Tensor, stride: usize) -> Result<Tensor> {
        let depthwise = || -> CandleResult<Tensor> {
            let (_, height, width, _) = x.dims4()?;
            let side = kernel.weight.dim(0)?.isqrt();
            let along = [height, width].map(|size| {
                let (before, outputs) = same(size, side, stride);
                Along { before, outputs }
            });
            relu6(&depthwise(x, &kernel.weight, &kernel.bias, stride, along)?)
        };
        depthwise().map_err(failed())
    }

    fn mean(&self, x: &Tensor) -> Result<Tensor> {
        let mean = x.flatten(1, 2).and_then(|x| x.mean(1));
        mean.and_then(|x| x.unsqueeze(1)?.unsqueeze(1)).map_err(failed())
    }

    fn values(&self, x: Tensor) -> Result<Vec<f32>> {
        x.flatten_all().and_then(|x| x.to_vec1()).map_err(failed())
    }
}

/// Maps an error of the device.
fn failed() -> impl FnOnce(candle_core::Error) -> Error {
    Error::tensors("classify pictures")
}

/// A 1 x 1 convolution.
fn pointwise(kernel: &Convolution, x: &Tensor) -> CandleResult<Tensor> {
    let (count, height, width, channels) = x.dims4()?;
    let rows = x.reshape((count * height * width, channels))?;
    let y = rows.matmul(&kernel.weight)?.broadcast_add(&kernel.bias)?;
    y.reshape((count, height, width, ()))
}

fn relu6(x: &Tensor) -> CandleResult<Tensor> {
    x.clamp(0f32, 6f32)
}

/// Adds the SAME padding of the stem to `pictures` (count, 3, side, side).
fn padded(pictures: &Tensor) -> CandleResult<Tensor> {
    let (_, _, height, width) = pictures.dims4()?;
    let around = |size: usize| {
        let (before, outputs) = same(size, 3, 2);
        (before, (outputs - 1) * 2 + 3 - size - before)
    };
    let ((top, bottom), (left, right)) = (around(height), around(width));
    pictures.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)
}
