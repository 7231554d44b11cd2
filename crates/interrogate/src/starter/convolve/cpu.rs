//! The CPU, with the kernels of this library: one image per task.
//!
//! Products run on all threads, and so do the lines of a depthwise convolution, so a single image
//! uses them all.

use rayon::prelude::*;

use super::super::SIDE;
use super::depthwise::{Depthwise, padded};
use super::{Classify, Convolve, same};
use crate::Result;
use crate::nn::{Activation, Linear, LinearEpilogue, Precision, Scratch};
use crate::weights::Values;

/// The upper bound of ReLU6.
const SIX: f32 = 6.0;

/// Convolutions on the CPU.
#[derive(Debug)]
pub(in crate::starter) struct OnCpu;

/// A kernel and its bias.
#[derive(Debug)]
pub(in crate::starter) enum Convolution {
    Product(Linear),
    Depthwise(Depthwise),
}

/// The feature maps of one image, (side, side, channels), in a buffer that the thread keeps: fresh
/// memory for each layer would cost as much as the convolutions.
pub(in crate::starter) struct Maps {
    side: usize,
    channels: usize,
    values: Scratch,
    /// Greater values count as this one. The next step clamps them as it reads them.
    ceiling: f32,
}

impl Maps {
    /// Creates maps with unspecified values.
    fn new(side: usize, channels: usize) -> Self {
        let values = Scratch::with_len(side * side * channels);
        Maps { side, channels, values, ceiling: f32::INFINITY }
    }
}

impl OnCpu {
    /// Computes `activation(x W^T + b) + residual` for the rows `x`.
    fn product(
        kernel: &Convolution,
        x: &[f32],
        side: usize,
        activation: Activation,
        residual: Option<&Maps>,
    ) -> Result<Maps> {
        let Convolution::Product(layer) = kernel else { return Err(misplaced()) };
        let mut out = Maps::new(side, layer.outputs());
        let residual = residual.map(|maps| &maps.values[..]);
        let epilogue = LinearEpilogue { activation, residual };
        layer.apply(x, side * side, &mut out.values, epilogue)?;
        Ok(out)
    }
}

/// Does not happen: each kernel is loaded for its place.
fn misplaced() -> crate::Error {
    let what = "a convolution's kernel";
    crate::Error::Rows(crate::error::RowsError::Dim { what, expected: 1, found: 0 })
}

impl Convolve for OnCpu {
    type Convolution = Convolution;
    type Maps = Maps;

    /// Depthwise taps become (taps, channels), those of the stem (out, taps, channels).
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Convolution> {
        let (outputs, channels) = (shape[0], shape[1]);
        let taps: usize = shape[2..].iter().product();
        if let ([_, 1, side, _], 2..) = (shape, taps) {
            let by_tap = |i: usize| weight[i % outputs * taps + i / outputs];
            let weight = (0..weight.len()).map(by_tap).collect();
            return Ok(Convolution::Depthwise(Depthwise { side: *side, weight, bias }));
        }
        let inputs = taps * channels;
        let by_channel =
            |i: usize| weight[i / inputs * inputs + i % channels * taps + i % inputs / channels];
        let weight: Vec<f32> = (0..weight.len()).map(by_channel).collect();
        let weight = Values::owned(&weight);
        let layer = Linear::new(&weight, [outputs, inputs], Some(bias), Precision::F32, false)?;
        Ok(Convolution::Product(layer))
    }

    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_, Maps>) -> Result<Vec<Vec<f32>>> {
        let one = |pixels: &&[f32]| {
            let mut maps = Maps::new(SIDE, 3);
            for (plane, channel) in pixels.chunks_exact(SIDE * SIDE).zip(0..) {
                let values = maps.values.iter_mut().skip(channel).step_by(3);
                values.zip(plane).for_each(|(to, from)| *to = *from);
            }
            classify(maps)
        };
        pictures.par_iter().map(one).collect()
    }

    fn stem(&self, kernel: &Convolution, pictures: &Maps) -> Result<Maps> {
        let (before, outputs) = same(pictures.side, 3, 2);
        let channels = pictures.channels;
        let (padded, side) = padded(
            &pictures.values,
            pictures.side,
            channels,
            before,
            2 * outputs + 1,
            f32::INFINITY,
        );
        let line = 3 * channels;
        let mut rows = Scratch::with_len(outputs * outputs * 3 * line);
        rows.par_chunks_mut(outputs * 3 * line).enumerate().for_each(|(y, rows)| {
            for (x, row) in rows.chunks_exact_mut(3 * line).enumerate() {
                for (k, to) in row.chunks_exact_mut(line).enumerate() {
                    let start = ((2 * y + k) * side + 2 * x) * channels;
                    to.copy_from_slice(&padded[start..start + line]);
                }
            }
        });
        let out = Self::product(kernel, &rows, outputs, Activation::Relu, None)?;
        Ok(Maps { ceiling: SIX, ..out })
    }

    fn expand(&self, kernel: &Convolution, x: &Maps) -> Result<Maps> {
        let out = Self::product(kernel, &x.values, x.side, Activation::Relu, None)?;
        Ok(Maps { ceiling: SIX, ..out })
    }

    fn project(&self, kernel: &Convolution, x: &Maps, residual: Option<&Maps>) -> Result<Maps> {
        Self::product(kernel, &x.values, x.side, Activation::None, residual)
    }

    fn depthwise(&self, kernel: &Convolution, x: &Maps, stride: usize) -> Result<Maps> {
        let Convolution::Depthwise(kernel) = kernel else { return Err(misplaced()) };
        let (before, outputs) = same(x.side, kernel.side, stride);
        let mut out = Maps::new(outputs, x.channels);
        let needed = (outputs - 1) * stride + kernel.side;
        let (padded, side) = padded(&x.values, x.side, x.channels, before, needed, x.ceiling);
        kernel.apply(&padded, side, stride, SIX, &mut out.values);
        Ok(out)
    }

    fn mean(&self, x: &Maps) -> Result<Maps> {
        let mut out = Maps::new(1, x.channels);
        out.values.fill(0.0);
        for pixel in x.values.chunks_exact(x.channels) {
            let sums = out.values.iter_mut().zip(pixel);
            sums.for_each(|(sum, value)| *sum += value.min(x.ceiling));
        }
        let pixels = (x.side * x.side) as f32;
        out.values.iter_mut().for_each(|value| *value /= pixels);
        Ok(out)
    }

    fn values(&self, x: Maps) -> Result<Vec<f32>> {
        Ok(x.values.to_vec())
    }
}
