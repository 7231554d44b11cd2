//! Convolutions, by the processor and by a device.
//!
//! Owns TensorFlow's SAME padding, and in which order the values of feature maps lie: the
//! processor has channels first, a device channels last.

mod channels_first;
mod channels_last;

use std::fmt::Debug;

use candle_core::{Result as Computed, Tensor};

use crate::Result;
pub(super) use channels_first::ChannelsFirst;
pub(super) use channels_last::ChannelsLast;

/// A kernel and its bias (out), laid out for what computes with it.
#[derive(Debug)]
pub(super) struct Convolution {
    weight: Tensor,
    bias: Tensor,
}

/// Computes pictures to one list of values, row behind row.
pub(super) type Classify<'a> = dyn Fn(Tensor) -> Computed<Vec<f32>> + Sync + 'a;

/// What convolves. Feature maps are tensors in an order of its own.
pub(super) trait Convolve: Debug + Send + Sync {
    /// Lays out a kernel: (out, in, 3, 3), (channels, 1, k, k), (out, in, 1, 1) or (out, in).
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Convolution>;

    /// Calls `classify` for `pictures`, (3, 224, 224) each, some at a time.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`](crate::Error::DeviceMemory),
    /// [`Error::Engine`](crate::Error::Engine).
    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_>) -> Result<Vec<Vec<f32>>>;

    /// The first convolution: 3 x 3 over all channels, stride 2, SAME, ReLU6.
    fn stem(&self, kernel: &Convolution, pictures: &Tensor) -> Computed<Tensor>;

    /// A 1 x 1 convolution, clamped to 0..=6 where `relu6` says so.
    fn pointwise(&self, kernel: &Convolution, x: &Tensor, relu6: bool) -> Computed<Tensor>;

    /// Each channel by its own kernel, SAME, ReLU6.
    fn depthwise(&self, kernel: &Convolution, x: &Tensor, stride: usize) -> Computed<Tensor>;

    /// The mean over each map: maps of one pixel.
    fn mean(&self, x: &Tensor) -> Computed<Tensor>;
}

/// How far the first kernel column stands before the first pixel, and the
/// number of outputs, along a side of `size` pixels.
///
/// TensorFlow's SAME: ceil(size / stride) outputs, and of an odd number of
/// padded pixels the greater half behind.
/// <https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2>
pub(super) fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let outputs = size.div_ceil(stride);
    let padding = (outputs.saturating_sub(1) * stride + kernel).saturating_sub(size);
    (padding / 2, outputs)
}

/// `pictures` (count, 3, side, side) with what SAME pads around them for the stem.
fn padded(pictures: &Tensor) -> Computed<Tensor> {
    let (_, _, height, width) = pictures.dims4()?;
    let around = |size: usize| {
        let (before, outputs) = same(size, 3, 2);
        (before, (outputs - 1) * 2 + 3 - size - before)
    };
    let ((top, bottom), (left, right)) = (around(height), around(width));
    pictures.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)
}
