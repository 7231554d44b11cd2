//! A device: maps are (images, height, width, channels).
//!
//! In this layout a 1 x 1 convolution is a matrix product, and a depthwise one is a sum over
//! its taps: shifted maps times one value per channel.

use candle_core::{Device, Result as CandleResult, Tensor};

use super::super::SIDE;
use super::{Classify, Convolution, Convolve, padded, same};
use crate::nn::{Along, depthwise, even, halving};
use crate::{Error, Result};

/// The maximum number of images per batch; halved while memory is short. The states of the
/// widest layer take 4.8 MB per image, and a few layers are in memory at once.
const BATCH: usize = 64;

/// Convolutions on a device.
#[derive(Debug)]
pub(in crate::starter) struct ChannelsLast(pub(in crate::starter) Device);

impl Convolve for ChannelsLast {
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

    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_>) -> Result<Vec<Vec<f32>>> {
        halving("classifying pictures", even(pictures.len(), BATCH), |part| {
            let (count, pixels) = (part.len(), pictures[part].concat());
            let pixels = Tensor::from_vec(pixels, (count, 3, SIDE, SIDE), &self.0);
            pixels.and_then(classify).map_err(Error::tensors("classify pictures"))
        })
    }

    fn stem(&self, kernel: &Convolution, pictures: &Tensor) -> CandleResult<Tensor> {
        let x = padded(pictures)?.conv2d(&kernel.weight, 0, 2, 1, 1)?;
        relu6(&x.permute((0, 2, 3, 1))?.contiguous()?.broadcast_add(&kernel.bias)?)
    }

    fn pointwise(&self, kernel: &Convolution, x: &Tensor, clamped: bool) -> CandleResult<Tensor> {
        let (count, height, width, channels) = x.dims4()?;
        let rows = x.reshape((count * height * width, channels))?;
        let y = rows.matmul(&kernel.weight)?.broadcast_add(&kernel.bias)?;
        let y = y.reshape((count, height, width, ()))?;
        if clamped { relu6(&y) } else { Ok(y) }
    }

    fn depthwise(&self, kernel: &Convolution, x: &Tensor, stride: usize) -> CandleResult<Tensor> {
        let (_, height, width, _) = x.dims4()?;
        let side = kernel.weight.dim(0)?.isqrt();
        let along = [height, width].map(|size| {
            let (before, outputs) = same(size, side, stride);
            Along { before, outputs }
        });
        relu6(&depthwise(x, &kernel.weight, &kernel.bias, stride, along)?)
    }

    fn mean(&self, x: &Tensor) -> CandleResult<Tensor> {
        x.flatten(1, 2)?.mean(1)?.unsqueeze(1)?.unsqueeze(1)
    }
}

fn relu6(x: &Tensor) -> CandleResult<Tensor> {
    x.clamp(0f32, 6f32)
}
