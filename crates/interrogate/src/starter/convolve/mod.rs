//! Convolutions on the CPU and on a device.
//!
//! Owns TensorFlow's SAME padding, and the memory layout of feature maps: (images, height, width,
//! channels), in which a 1 x 1 convolution is a matrix product.

mod cpu;
mod depthwise;
mod device;

use std::fmt::Debug;

use crate::Result;
#[cfg(doc)]
use crate::error::DeviceError;
pub(super) use cpu::OnCpu;
pub(super) use device::OnDevice;

/// Computes the values of a batch of images, row after row.
pub(super) type Classify<'a, Maps> = dyn Fn(Maps) -> Result<Vec<f32>> + Sync + 'a;

/// Computes convolutions.
pub(super) trait Convolve: Debug + Send + Sync {
    /// A kernel and its bias.
    type Convolution: Debug + Send + Sync;
    /// The feature maps of a batch of images.
    type Maps;

    /// Loads a kernel (out, in, 3, 3), (channels, 1, k, k), (out, in, 1, 1) or (out, in), and its
    /// bias (out).
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Self::Convolution>;

    /// Calls `classify` for batches of `pictures`, (3, 224, 224) each.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`],
    /// [`DeviceError::Tensors`].
    fn each(
        &self,
        pictures: &[&[f32]],
        classify: &Classify<'_, Self::Maps>,
    ) -> Result<Vec<Vec<f32>>>;

    /// The first convolution: 3 x 3 over all channels, stride 2, SAME, ReLU6.
    fn stem(&self, kernel: &Self::Convolution, pictures: &Self::Maps) -> Result<Self::Maps>;

    /// A 1 x 1 convolution, clamped to 0..=6.
    fn expand(&self, kernel: &Self::Convolution, x: &Self::Maps) -> Result<Self::Maps>;

    /// A 1 x 1 convolution, to which `residual` is added.
    fn project(
        &self,
        kernel: &Self::Convolution,
        x: &Self::Maps,
        residual: Option<&Self::Maps>,
    ) -> Result<Self::Maps>;

    /// A depthwise convolution, SAME, ReLU6.
    fn depthwise(
        &self,
        kernel: &Self::Convolution,
        x: &Self::Maps,
        stride: usize,
    ) -> Result<Self::Maps>;

    /// The mean of each map, as maps of one pixel.
    fn mean(&self, x: &Self::Maps) -> Result<Self::Maps>;

    /// Returns the values of all maps.
    fn values(&self, x: Self::Maps) -> Result<Vec<f32>>;
}

/// Returns the padding before the first pixel, and the number of outputs, along a side of
/// `size` pixels.
///
/// TensorFlow's SAME: ceil(size / stride) outputs; of an odd padding, the larger half comes
/// after the last pixel.
/// <https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2>
fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let outputs = size.div_ceil(stride);
    let padding = (outputs.saturating_sub(1) * stride + kernel).saturating_sub(size);
    (padding / 2, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_half_of_an_odd_padding_comes_last() {
        assert_eq!(same(224, 3, 2), (0, 112));
        assert_eq!(same(56, 5, 2), (1, 28));
        assert_eq!(same(7, 3, 2), (1, 4));
        assert_eq!(same(14, 5, 1), (2, 14));
    }
}
