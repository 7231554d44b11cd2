//! Convolutions on the CPU and on a device.
//!
//! Owns TensorFlow's SAME padding, and the memory layout of feature maps: channels first on
//! the CPU, channels last on a device.

mod channels_first;
mod channels_last;

use std::fmt::Debug;

use candle_core::{Result as CandleResult, Tensor};

use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
pub(super) use channels_first::ChannelsFirst;
pub(super) use channels_last::ChannelsLast;

/// A kernel and its bias (out), in the layout of a [`Convolve`].
#[derive(Debug)]
pub(super) struct Convolution {
    weight: Tensor,
    bias: Tensor,
}

/// Computes the values of a batch of images, row after row.
pub(super) type Classify<'a> = dyn Fn(Tensor) -> CandleResult<Vec<f32>> + Sync + 'a;

/// Computes convolutions. Each implementation has its own layout of feature maps.
pub(super) trait Convolve: Debug + Send + Sync {
    /// Loads a kernel (out, in, 3, 3), (channels, 1, k, k), (out, in, 1, 1) or (out, in).
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Convolution>;

    /// Calls `classify` for batches of `pictures`, (3, 224, 224) each.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_>) -> Result<Vec<Vec<f32>>>;

    /// The first convolution: 3 x 3 over all channels, stride 2, SAME, ReLU6.
    fn stem(&self, kernel: &Convolution, pictures: &Tensor) -> CandleResult<Tensor>;

    /// A 1 x 1 convolution, clamped to 0..=6 if `relu6` is set.
    fn pointwise(&self, kernel: &Convolution, x: &Tensor, relu6: bool) -> CandleResult<Tensor>;

    /// A depthwise convolution, SAME, ReLU6.
    fn depthwise(&self, kernel: &Convolution, x: &Tensor, stride: usize) -> CandleResult<Tensor>;

    /// The mean of each map, as maps of one pixel.
    fn mean(&self, x: &Tensor) -> CandleResult<Tensor>;
}

/// Returns the padding before the first pixel, and the number of outputs, along a side of
/// `size` pixels.
///
/// TensorFlow's SAME: ceil(size / stride) outputs; of an odd padding, the larger half comes
/// after the last pixel.
/// <https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2>
pub(super) fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let outputs = size.div_ceil(stride);
    let padding = (outputs.saturating_sub(1) * stride + kernel).saturating_sub(size);
    (padding / 2, outputs)
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
