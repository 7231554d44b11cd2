//! Convolutions over feature maps in the layout (images, height, width, channels), where pixels
//! are rows.

use candle_core::{Result, Tensor};

use crate::nn::Window;

/// The input of a convolution along one side: padding before the first pixel, and outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    pub(crate) before: usize,
    pub(crate) outputs: usize,
}

impl Along {
    /// Pads `x` along `dim` so that each tap of a kernel has `outputs * stride` pixels, or drops
    /// what no window reads.
    fn pad(self, x: &Tensor, dim: usize, kernel: usize, stride: usize) -> Result<Tensor> {
        let (size, needed) = (x.dim(dim)?, self.outputs * stride + kernel - 1);
        match needed.checked_sub(size + self.before) {
            Some(after) => x.pad_with_zeros(dim, self.before, after),
            None => x.narrow(dim, 0, needed - self.before)?.pad_with_zeros(dim, self.before, 0),
        }
    }
}

/// Unfolds `x` (maps * side * side, channels) into one row (taps, channels) per window.
pub(super) fn unfold(window: &Window, x: &Tensor) -> Result<Tensor> {
    let Window { side, kernel, stride, padding } = *window;
    let (count, channels) = x.dims2()?;
    let (outputs, padded) = (window.outputs(), side + 2 * padding);
    let maps = count / (side * side).max(1);
    let x = x.reshape((maps, side, side, channels))?;
    let x = x.pad_with_zeros(1, padding, padding)?.pad_with_zeros(2, padding, padding)?;
    let x = x.contiguous()?.reshape((maps * padded * padded, channels))?;
    // The row number under each tap of each window: a sum over five axes.
    let device = x.device();
    let axis = |count: usize, step: usize| {
        Tensor::from_iter((0..count).map(|i| (i * step) as u32), device)
    };
    let ids = axis(maps, padded * padded)?.reshape((maps, 1, 1, 1, 1))?;
    let ids = ids.broadcast_add(&axis(outputs, stride * padded)?.reshape((1, (), 1, 1, 1))?)?;
    let ids = ids.broadcast_add(&axis(outputs, stride)?.reshape((1, 1, (), 1, 1))?)?;
    let ids = ids.broadcast_add(&axis(kernel, padded)?.reshape((1, 1, 1, (), 1))?)?;
    let ids = ids.broadcast_add(&axis(kernel, 1)?.reshape((1, 1, 1, 1, ()))?)?;
    let rows = x.index_select(&ids.flatten_all()?, 0)?;
    rows.reshape((maps * outputs * outputs, window.taps() * channels))
}

/// Convolves each channel of `x` (images, height, width, channels) with its own column of
/// `kernel` (taps, channels), and adds `bias` (channels). candle's own grouped convolution
/// launches one kernel per channel.
pub(crate) fn depthwise(
    x: &Tensor,
    kernel: &Tensor,
    bias: &Tensor,
    stride: usize,
    [lines, columns]: [Along; 2],
) -> Result<Tensor> {
    let (count, _, _, channels) = x.dims4()?;
    let side = kernel.dim(0)?.isqrt();
    let x = lines.pad(x, 1, side, stride)?;
    let x = columns.pad(&x, 2, side, stride)?;
    let (rows, columns) = (lines.outputs, columns.outputs);
    let mut sums = bias.broadcast_as((count, rows, columns, channels))?.contiguous()?;
    for row in 0..side {
        let x = strided(&x, 1, row, rows, stride)?;
        for column in 0..side {
            let x = strided(&x, 2, column, columns, stride)?;
            let tap = kernel.get(row * side + column)?;
            sums = (sums + x.broadcast_mul(&tap)?)?;
        }
    }
    Ok(sums)
}

/// Returns `count` slices of `x` along `dim`, every `stride`-th from `first` on.
fn strided(x: &Tensor, dim: usize, first: usize, count: usize, stride: usize) -> Result<Tensor> {
    let x = x.narrow(dim, first, count * stride)?;
    if stride == 1 {
        return Ok(x);
    }
    let mut shape = x.dims().to_vec();
    shape.splice(dim..=dim, [count, stride]);
    x.contiguous()?.reshape(shape)?.narrow(dim + 1, 0, 1)?.squeeze(dim + 1)
}
