//! Convolutions over feature maps whose rows are pixels, and batch norms folded into them.

use rayon::prelude::*;

use super::backend::{Backend, Depthwise};
use super::{Activation, Loader, Window};
use crate::Result;
#[cfg(doc)]
use crate::error::RowsError;
use crate::weights::Values;

/// The `eps` of PyTorch's batch norm.
const BATCH_NORM_EPS: f32 = 1e-5;

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvolutionSizes {
    pub(crate) outputs: usize,
    pub(crate) channels: usize,
    /// Pixels along a side of the window.
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl ConvolutionSizes {
    /// The shape of the weight in a checkpoint.
    pub(crate) fn shape(&self) -> [usize; 4] {
        [self.outputs, self.channels, self.kernel, self.kernel]
    }

    /// The window over maps of `side` by `side` pixels.
    pub(crate) fn window(&self, side: usize) -> Window {
        let ConvolutionSizes { kernel, stride, padding, .. } = *self;
        Window { side, kernel, stride, padding }
    }
}

/// A convolution with its bias.
#[derive(Debug)]
pub(crate) struct Convolution<B: Backend> {
    /// (outputs, kernel * kernel * channels)
    pub(crate) product: B::Linear,
    sizes: ConvolutionSizes,
}

impl<B: Backend> Convolution<B> {
    /// Convolves maps of `side` by `side` pixels, and applies `activation`. Returns the side of
    /// the maps of `out`.
    pub(crate) fn forward(
        &self,
        backend: &B,
        side: usize,
        x: &B::Rows,
        activation: Activation,
        out: &mut B::Rows,
    ) -> Result<usize> {
        let window = self.sizes.window(side);
        backend.convolve(&self.product, &window, x, activation, out)?;
        Ok(window.outputs())
    }
}

/// The names of the four weights of a batch norm, after its own name.
pub(crate) const BATCH_NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl<B: Backend> Loader<'_, B> {
    /// Loads the convolution `{name}.weight` (out, channels, kernel, kernel) with `{name}.bias`.
    pub(crate) fn convolution(
        &self,
        name: &str,
        sizes: ConvolutionSizes,
    ) -> Result<Convolution<B>> {
        let weight = self.values(&format!("{name}.weight"), &sizes.shape())?;
        let bias = self.values(&format!("{name}.bias"), &[sizes.outputs])?;
        self.channels_last(sizes, &weight, bias)
    }

    /// Loads the convolution `{name}.weight`, which has no bias, with the batch norm `norm` after
    /// it: `(y - mean) / sqrt(variance + eps) * weight + bias`, which is a scale and a bias.
    pub(crate) fn normed_convolution(
        &self,
        name: &str,
        norm: &str,
        sizes: ConvolutionSizes,
    ) -> Result<Convolution<B>> {
        let mut weight = self.values(&format!("{name}.weight"), &sizes.shape())?;
        let part = |part: &str| self.values(&format!("{norm}.{part}"), &[sizes.outputs]);
        let [gain, mut bias, mean, variance] = BATCH_NORM.map(part);
        let (gain, mean, variance) = (gain?, mean?, variance?);
        let bias = bias.as_mut().map_or(Vec::new(), std::mem::take);
        let scale = gain.iter().zip(&variance).map(|(gain, v)| gain / (v + BATCH_NORM_EPS).sqrt());
        let scale: Vec<f32> = scale.collect();
        let inputs = weight.len() / sizes.outputs.max(1);
        for (row, scale) in weight.chunks_exact_mut(inputs.max(1)).zip(&scale) {
            row.iter_mut().for_each(|value| *value *= scale);
        }
        let shift = bias.iter().zip(mean.iter().zip(&scale));
        let bias = shift.map(|(bias, (mean, scale))| bias - mean * scale).collect();
        self.channels_last(sizes, &weight, bias)
    }

    /// Reorders the taps of `weight`, (out, channels, taps), to (out, taps, channels).
    fn channels_last(
        &self,
        sizes: ConvolutionSizes,
        weight: &[f32],
        bias: Vec<f32>,
    ) -> Result<Convolution<B>> {
        let taps = sizes.kernel * sizes.kernel;
        let inputs = taps * sizes.channels;
        let mut ordered = Vec::with_capacity(weight.len());
        for row in weight.chunks_exact(inputs.max(1)) {
            ordered
                .extend((0..inputs).map(|i| row[i % sizes.channels * taps + i / sizes.channels]));
        }
        let weight = Values::owned(&ordered);
        let product = self.backend.linear(&weight, [sizes.outputs, inputs], Some(bias))?;
        Ok(Convolution { product, sizes })
    }

    /// Loads the depthwise convolution `{name}.weight` (channels, 1, kernel, kernel) with
    /// `{name}.bias`.
    pub(crate) fn depthwise(
        &self,
        name: &str,
        [channels, kernel]: [usize; 2],
    ) -> Result<Depthwise<B>> {
        let weight = self.values(&format!("{name}.weight"), &[channels, 1, kernel, kernel])?;
        let bias = self.values(&format!("{name}.bias"), &[channels])?;
        let taps = kernel * kernel;
        let values = (0..weight.len()).map(|i| weight[i % channels * taps + i / channels]);
        Ok(Depthwise {
            kernel: self.backend.upload(values.collect(), channels)?,
            bias: self.backend.upload(bias, channels)?,
        })
    }

    /// Loads the product `{name}.weight` (out, in) with `{name}.bias`, whose outputs are
    /// multiplied by `scale` (out).
    pub(crate) fn scaled_linear(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        scale: &str,
    ) -> Result<B::Linear> {
        let mut weight = self.values(&format!("{name}.weight"), &[outputs, inputs])?;
        let mut bias = self.values(&format!("{name}.bias"), &[outputs])?;
        let scale = self.values(scale, &[outputs])?;
        let rows = weight.chunks_exact_mut(inputs.max(1)).zip(&mut bias).zip(&scale);
        for ((row, bias), scale) in rows {
            row.iter_mut().for_each(|value| *value *= scale);
            *bias *= scale;
        }
        self.backend.linear(&Values::owned(&weight), [outputs, inputs], Some(bias))
    }
}

impl<B: Backend> Depthwise<B> {
    /// The mean over windows of `kernel` by `kernel` pixels.
    pub(crate) fn average(backend: &B, [channels, kernel]: [usize; 2]) -> Result<Self> {
        let taps = kernel * kernel;
        Ok(Depthwise {
            kernel: backend.upload(vec![1.0 / taps as f32; taps * channels], channels)?,
            bias: backend.upload(vec![0.0; channels], channels)?,
        })
    }
}

/// Reorders images (images, channels, pixels) to rows of pixels (images * pixels, channels). Runs
/// on all threads.
///
/// `pixels` is the number of pixels of an image; `values` are whole images.
pub(crate) fn pixel_rows(values: &[f32], channels: usize, pixels: usize) -> Vec<f32> {
    let mut rows = vec![0.0; values.len()];
    let image = (channels * pixels).max(1);
    rows.par_chunks_mut(channels).enumerate().with_min_len(1024).for_each(|(number, row)| {
        let image = &values[number / pixels * image..][..image];
        let planes = image.chunks_exact(pixels);
        row.iter_mut().zip(planes).for_each(|(value, plane)| *value = plane[number % pixels]);
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_rows_of_channels() {
        let values: Vec<f32> = (0u8..12).map(f32::from).collect();
        let rows = pixel_rows(&values, 3, 2);
        assert_eq!(rows, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0, 6.0, 8.0, 10.0, 7.0, 9.0, 11.0]);
    }
}
