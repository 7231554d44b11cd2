//! The CPU: maps are (1, channels, height, width), one image per task.
//!
//! Owns the two operations that are slow in candle's CPU backend: depthwise convolutions, and
//! bias and clamp after every convolution. A channel is a task, so a single image uses all
//! threads.

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, Device, Layout, Result as CandleResult, Shape, Tensor, bail,
};
use rayon::prelude::*;

use super::super::SIDE;
use super::{Classify, Convolution, Convolve, padded, same};
use crate::{Error, Result};

/// Convolutions on the CPU.
#[derive(Debug)]
pub(in crate::starter) struct ChannelsFirst;

impl Convolve for ChannelsFirst {
    fn load(&self, weight: Vec<f32>, shape: &[usize], bias: Vec<f32>) -> Result<Convolution> {
        let load = |values: Vec<f32>, shape: &[usize]| {
            Tensor::from_vec(values, shape, &Device::Cpu).map_err(Error::tensors("read a weight"))
        };
        Ok(Convolution { weight: load(weight, shape)?, bias: load(bias, &shape[..1])? })
    }

    fn each(&self, pictures: &[&[f32]], classify: &Classify<'_>) -> Result<Vec<Vec<f32>>> {
        let one = |pixels: &&[f32]| {
            let picture = Tensor::from_slice(pixels, (1, 3, SIDE, SIDE), &Device::Cpu);
            picture.and_then(classify).map_err(Error::tensors("classify a picture"))
        };
        pictures.par_iter().map(one).collect()
    }

    fn stem(&self, kernel: &Convolution, pictures: &Tensor) -> CandleResult<Tensor> {
        bias(&padded(pictures)?.conv2d(&kernel.weight, 0, 2, 1, 1)?, &kernel.bias, true)
    }

    /// One product (out, in) x (in, height x width).
    fn pointwise(&self, kernel: &Convolution, x: &Tensor, relu6: bool) -> CandleResult<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        let weight = kernel.weight.reshape(((), channels))?;
        let y = weight.matmul(&x.reshape((channels, height * width))?)?;
        bias(&y.reshape((1, (), height, width))?, &kernel.bias, relu6)
    }

    fn depthwise(&self, kernel: &Convolution, x: &Tensor, stride: usize) -> CandleResult<Tensor> {
        x.apply_op3_no_bwd(&kernel.weight, &kernel.bias, &Depthwise { stride })
    }

    fn mean(&self, x: &Tensor) -> CandleResult<Tensor> {
        x.mean((2, 3))?.reshape((1, (), 1, 1))
    }
}

/// Adds `bias` (channels) to each channel of `x` (1, channels, height, width), and clamps to
/// 0..=6 if `relu6` is set.
fn bias(x: &Tensor, bias: &Tensor, relu6: bool) -> CandleResult<Tensor> {
    x.apply_op2_no_bwd(bias, &Bias { relu6 })
}

struct Depthwise {
    stride: usize,
}

impl CustomOp3 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (1, channels, height, width) = x_layout.shape().dims4()? else {
            bail!("expected one image");
        };
        let (_, _, side, _) = weight_layout.shape().dims4()?;
        let (x, weight, bias) =
            (values(x, x_layout)?, values(weight, weight_layout)?, values(bias, bias_layout)?);
        let (top, rows) = same(height, side, self.stride);
        let (left, columns) = same(width, side, self.stride);
        let mut y = vec![0.0; channels * rows * columns];
        y.par_chunks_mut(rows * columns)
            .zip(x.par_chunks(height * width))
            .zip(weight.par_chunks(side * side).zip(bias))
            .for_each(|((y, x), (kernel, &bias))| {
                for (row, y) in y.chunks_exact_mut(columns).enumerate() {
                    y.fill(bias);
                    for (k, taps) in kernel.chunks_exact(side).enumerate() {
                        // The row of `x` under this row of the kernel; none in the padding.
                        let Some(line) = (row * self.stride + k).checked_sub(top) else { continue };
                        let Some(x) = x.get(line * width..(line + 1) * width) else { continue };
                        for (k, &tap) in taps.iter().enumerate() {
                            add_tap(y, x, tap, k, left, self.stride);
                        }
                    }
                    y.iter_mut().for_each(|v| *v = v.clamp(0.0, 6.0));
                }
            });
        Ok((CpuStorage::F32(y), (1, channels, rows, columns).into()))
    }
}

/// `y[i] += tap * x[i * stride + k - left]` for each index within `x`.
fn add_tap(y: &mut [f32], x: &[f32], tap: f32, k: usize, left: usize, stride: usize) {
    let first = left.saturating_sub(k).div_ceil(stride);
    let Some(x) = x.get((first * stride + k).saturating_sub(left)..) else { return };
    let Some(y) = y.get_mut(first..) else { return };
    if stride == 1 {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += tap * x);
    } else {
        y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, x)| *y += tap * x);
    }
}

struct Bias {
    relu6: bool,
}

impl CustomOp2 for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let (_, _, height, width) = x_layout.shape().dims4()?;
        let (low, high) = if self.relu6 { (0.0, 6.0) } else { (f32::MIN, f32::MAX) };
        let mut y = values(x, x_layout)?.to_vec();
        y.par_chunks_mut(height * width).zip(values(bias, bias_layout)?).for_each(|(y, bias)| {
            y.iter_mut().for_each(|v| *v = (*v + bias).clamp(low, high));
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }
}

/// Returns the values of a contiguous f32 tensor.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> CandleResult<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&values[from..to]),
        _ => bail!("expected contiguous f32 values"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the same with candle's own convolution over a padded image.
    fn reference(x: &Tensor, weight: &Tensor, b: &Tensor, stride: usize) -> Tensor {
        let (_, channels, height, width) = x.dims4().unwrap();
        let side = weight.dims()[3];
        let mut padded = x.clone();
        for (dim, size) in [(2, height), (3, width)] {
            let (before, outputs) = same(size, side, stride);
            let all = ((outputs - 1) * stride + side).saturating_sub(size);
            padded = padded.pad_with_zeros(dim, before, all - before).unwrap();
        }
        let y = padded.conv2d(weight, 0, stride, 1, channels).unwrap();
        y.broadcast_add(&b.reshape((1, channels, 1, 1)).unwrap())
            .unwrap()
            .clamp(0f32, 6f32)
            .unwrap()
    }

    #[test]
    fn depthwise_agrees_with_candle_for_every_kernel_stride_and_size() {
        for (side, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            for (height, width) in [(7, 7), (8, 6), (5, 14), (1, 3), (2, 1)] {
                let x = Tensor::randn(0f32, 2., (1, 3, height, width), &Device::Cpu).unwrap();
                let weight = Tensor::randn(0f32, 1., (3, 1, side, side), &Device::Cpu).unwrap();
                let bias = Tensor::randn(0f32, 1., 3, &Device::Cpu).unwrap();
                let kernel = Convolution { weight, bias };
                let ours = ChannelsFirst.depthwise(&kernel, &x, stride).unwrap();
                let theirs = reference(&x, &kernel.weight, &kernel.bias, stride);
                assert_eq!(ours.dims(), theirs.dims(), "{side} {stride} {height}x{width}");
                let difference = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
                let difference: f32 = difference.to_scalar().unwrap();
                assert!(difference < 1e-4, "{side} {stride} {height}x{width}: {difference}");
            }
        }
    }

    #[test]
    fn the_larger_half_of_an_odd_padding_comes_last() {
        assert_eq!(same(224, 3, 2), (0, 112));
        assert_eq!(same(56, 5, 2), (1, 28));
        assert_eq!(same(7, 3, 2), (1, 4));
        assert_eq!(same(14, 5, 1), (2, 14));
    }

    #[test]
    fn bias_shifts_each_channel_and_clamps_on_request() {
        let x = Tensor::new(&[[[[-3f32, 2.]], [[5., 7.]]]], &Device::Cpu).unwrap();
        let shift = Tensor::new(&[1f32, 0.5], &Device::Cpu).unwrap();
        let all = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(all(bias(&x, &shift, false).unwrap()), [-2., 3., 5.5, 7.5]);
        assert_eq!(all(bias(&x, &shift, true).unwrap()), [0., 3., 5.5, 6.]);
    }

    #[test]
    fn a_strided_view_is_refused() {
        let x = Tensor::zeros((1, 1, 2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        let x = x.transpose(2, 3).unwrap();
        let one = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        let error = bias(&x, &one, true).unwrap_err().to_string();
        assert!(error.contains("expected contiguous f32 values"), "{error}");
    }
}
