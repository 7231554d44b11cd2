//! EfficientNet-Lite0 in the tensor engine's operations, for its devices.
//!
//! Pictures go through together, channels last: a 1 x 1 convolution is then a product
//! of rows, and a depthwise one a sum over its taps, each the pictures moved by a pixel
//! times a value a channel. The engine's own grouped convolution is one launch a
//! channel.

#[cfg(test)]
mod tests;

use candle_core::{Device, Result, Tensor};

use super::depthwise::same;
use super::efficientnet::{CLASSES, HEAD, SIDE, STEM, Shape, shapes};
use crate::nn::Precision;
use crate::nn::engine::{COPY, Dense, dense};
use crate::rank::device::halving;
use crate::weights::Weights;
use crate::{Error, Result as Checked};

/// Pictures that go through at once, where memory is for them: the widest layer's
/// states are 4.8 MB a picture, and some of them stand beside each other.
const BATCH: usize = 64;

/// The classifier in f32 on a device.
#[derive(Debug)]
pub(super) struct EfficientNet {
    device: Device,
    /// The kernel (out, in, 3, 3) and the bias (out).
    stem: [Tensor; 2],
    blocks: Vec<Block>,
    head: Dense,
    classifier: Dense,
}

#[derive(Debug)]
struct Block {
    shape: Shape,
    expand: Option<Dense>,
    /// Of each tap of the kernel, row by row, its values (channels).
    taps: Vec<Tensor>,
    bias: Tensor,
    project: Dense,
}

impl EfficientNet {
    /// Takes every weight, and refuses any other.
    pub(super) fn new(weights: Weights, device: &Device) -> Checked<Self> {
        let dense = |name: &str, of: &[usize]| dense(&weights, name, of, Precision::F32, device);
        let copied = |name: &str, of: &[usize]| -> Checked<Tensor> {
            weights.take(name, of)?.to_device(device).map_err(Error::engine(COPY))
        };
        let block = |shape: Shape| -> Checked<Block> {
            let Shape { kernel, input, inner, output, .. } = shape;
            let expand = || dense(&shape.name("_expand_conv"), &[inner, input, 1, 1]);
            let filter = shape.name("_depthwise_conv");
            let taps = copied(&format!("{filter}.weight"), &[inner, 1, kernel, kernel])?;
            let taps = |tap| taps.flatten_from(1)?.narrow(1, tap, 1)?.contiguous()?.flatten_all();
            let taps = (0..kernel * kernel).map(taps).collect::<Result<_>>();
            Ok(Block {
                shape,
                expand: shape.expands().then(expand).transpose()?,
                taps: taps.map_err(Error::engine(COPY))?,
                bias: copied(&format!("{filter}.bias"), &[inner])?,
                project: dense(&shape.name("_project_conv"), &[output, inner, 1, 1])?,
            })
        };
        let shapes = shapes();
        let last = shapes.last().map_or(STEM, |shape| shape.output);
        let net = EfficientNet {
            device: device.clone(),
            stem: [
                copied("_conv_stem.weight", &[STEM, 3, 3, 3])?,
                copied("_conv_stem.bias", &[STEM])?,
            ],
            blocks: shapes.into_iter().map(block).collect::<Checked<_>>()?,
            head: dense("_conv_head", &[HEAD, last, 1, 1])?,
            classifier: dense("_fc", &[CLASSES, HEAD])?,
        };
        weights.finish(|_| false)?;
        Ok(net)
    }

    /// The logits (1000) of each of `pictures`, (3, 224, 224) in (x - 127) / 128.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`], [`Error::Engine`].
    pub(super) fn logits(&self, pictures: &[&[f32]]) -> Checked<Vec<Vec<f32>>> {
        let found = halving("classifying pictures", pictures.len(), BATCH, |part| {
            let count = part.len();
            let pixels = pictures[part].concat();
            let pixels = Tensor::from_vec(pixels, (count, 3, SIDE, SIDE), &self.device)?;
            self.classify(&pixels)
        })?;
        Ok(found.concat())
    }

    fn classify(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let (before, outputs) = same(SIDE, 3, 2);
        let behind = (outputs - 1) * 2 + 3 - SIDE - before;
        let x = pixels.pad_with_zeros(2, before, behind)?.pad_with_zeros(3, before, behind)?;
        let [kernel, bias] = &self.stem;
        let x = x.conv2d(kernel, 0, 2, 1, 1)?.permute((0, 2, 3, 1))?.contiguous()?;
        let mut x = relu6(&x.broadcast_add(bias)?)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let x = relu6(&pointwise(&self.head, &x)?)?;
        self.classifier.forward(&x.flatten(1, 2)?.mean(1)?)?.to_vec2()
    }
}

impl Block {
    /// (pictures, height, width, channels) to the same of what goes.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let x = match &self.expand {
            Some(expand) => relu6(&pointwise(expand, input)?)?,
            None => input.clone(),
        };
        let x = pointwise(&self.project, &relu6(&self.filter(&x)?)?)?;
        if self.shape.residual() { x + input } else { Ok(x) }
    }

    /// Each channel by its own kernel, with its bias.
    fn filter(&self, x: &Tensor) -> Result<Tensor> {
        let Shape { kernel, stride, inner, .. } = self.shape;
        let (count, height, width, _) = x.dims4()?;
        let (rows, columns) = (same(height, kernel, stride).1, same(width, kernel, stride).1);
        // So far that every tap finds its outputs times the stride of pixels.
        let padded = |x: &Tensor, dim, size, outputs| {
            let before = same(size, kernel, stride).0;
            let behind = outputs * stride + kernel - 1 - size - before;
            x.pad_with_zeros(dim, before, behind)
        };
        let x = padded(&padded(x, 1, height, rows)?, 2, width, columns)?;
        let mut sums = self.bias.broadcast_as((count, rows, columns, inner))?.contiguous()?;
        for (row, taps) in self.taps.chunks_exact(kernel).enumerate() {
            let x = strided(&x, 1, row, rows, stride)?;
            for (column, tap) in taps.iter().enumerate() {
                let x = strided(&x, 2, column, columns, stride)?;
                sums = (sums + x.broadcast_mul(tap)?)?;
            }
        }
        Ok(sums)
    }
}

/// A 1 x 1 convolution of (pictures, height, width, channels).
fn pointwise(weight: &Dense, x: &Tensor) -> Result<Tensor> {
    let (count, height, width, channels) = x.dims4()?;
    let rows = x.reshape((count * height * width, channels))?;
    weight.forward(&rows)?.reshape((count, height, width, ()))
}

fn relu6(x: &Tensor) -> Result<Tensor> {
    x.clamp(0f32, 6f32)
}

/// Every `stride`-th of `x` along `dim`, so many from `first` on.
fn strided(x: &Tensor, dim: usize, first: usize, count: usize, stride: usize) -> Result<Tensor> {
    let x = x.narrow(dim, first, count * stride)?;
    if stride == 1 {
        return Ok(x);
    }
    let mut shape = x.dims().to_vec();
    shape.splice(dim..=dim, [count, stride]);
    x.contiguous()?.reshape(shape)?.narrow(dim + 1, 0, 1)?.squeeze(dim + 1)
}
