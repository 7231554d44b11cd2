//! Depthwise convolutions on the CPU.

use std::array::from_fn;

use rayon::prelude::*;

use crate::nn::{Isa, Kernel, Scratch, Simd};

/// Columns that are computed together, so that a tap is loaded once for them. All maps of the
/// classifier are a multiple of it wide.
const COLUMNS: usize = 7;

/// A kernel of `side` by `side` taps for each channel.
#[derive(Debug)]
pub(in crate::starter) struct Depthwise {
    pub(super) side: usize,
    /// (taps, channels)
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Depthwise {
    /// Convolves maps of `side` by `side` pixels, padding included, and clamps to 0..=`ceiling`.
    /// `out` has as many lines as columns. Runs on all threads.
    pub(super) fn apply(
        &self,
        x: &[f32],
        side: usize,
        stride: usize,
        ceiling: f32,
        out: &mut [f32],
    ) {
        let channels = self.bias.len();
        let outputs = (side - self.side) / stride + 1;
        out.par_chunks_mut(outputs * channels).enumerate().for_each(|(y, out)| {
            let x = &x[y * stride * side * channels..][..self.side * side * channels];
            Isa::best().run(Line { kernel: self, x, side, stride, ceiling, out });
        });
    }
}

/// A line of outputs.
struct Line<'a> {
    kernel: &'a Depthwise,
    /// The lines of the input under the kernel.
    x: &'a [f32],
    side: usize,
    stride: usize,
    ceiling: f32,
    out: &'a mut [f32],
}

impl Kernel for Line<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.kernel.bias.len();
        let out = std::mem::take(&mut self.out);
        for (number, out) in out.chunks_mut(COLUMNS * channels).enumerate() {
            let first = number * COLUMNS;
            if out.len() == COLUMNS * channels {
                self.columns::<S, COLUMNS>(s, first, out);
            } else {
                for (column, out) in out.chunks_exact_mut(channels).enumerate() {
                    self.columns::<S, 1>(s, first + column, out);
                }
            }
        }
    }
}

impl Line<'_> {
    /// Computes `N` columns from `first` on.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&self, s: S, first: usize, out: &mut [f32]) {
        let (channels, side) = (self.kernel.bias.len(), self.kernel.side);
        let (low, high) = (s.splat(0.0), s.splat(self.ceiling));
        let step = self.stride * channels;
        let mut at = 0;
        while at < channels {
            let len = S::LANES.min(channels - at);
            let whole = len == S::LANES;
            let read =
                |from: &[f32]| if whole { s.read(from) } else { s.read_part(&from[..len], 0.0) };
            let mut sums: [S::V; N] = [read(&self.kernel.bias[at..]); N];
            for y in 0..side {
                for x in 0..side {
                    let tap = read(&self.kernel.weight[(y * side + x) * channels + at..]);
                    let start = (y * self.side + first * self.stride + x) * channels + at;
                    let from = &self.x[start..start + (N - 1) * step + len];
                    sums = from_fn(|n| s.fma(read(&from[n * step..]), tap, sums[n]));
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                let value = s.min(s.max(sum, low), high);
                let to = &mut out[n * channels + at..][..len];
                if whole {
                    s.write(to, value);
                } else {
                    s.write_part(to, value);
                }
            }
            at += len;
        }
    }
}

/// Returns maps of `size` by `size` pixels with `x`, (side, side, channels), after `before` lines
/// and columns of zeros, and `size`. Values above `ceiling` become `ceiling`.
pub(super) fn padded(
    x: &[f32],
    side: usize,
    channels: usize,
    before: usize,
    size: usize,
    ceiling: f32,
) -> (Scratch, usize) {
    let mut out = Scratch::with_len(size * size * channels);
    let line = side * channels;
    out.par_chunks_mut(size * channels).enumerate().for_each(|(y, out)| {
        let from = y.checked_sub(before).and_then(|y| x.get(y * line..(y + 1) * line));
        let Some(from) = from else { return out.fill(0.0) };
        let (left, rest) = out.split_at_mut(before * channels);
        let middle = line.min(rest.len());
        let (inside, right) = rest.split_at_mut(middle);
        left.fill(0.0);
        inside.iter_mut().zip(from).for_each(|(out, x)| *out = x.min(ceiling));
        right.fill(0.0);
    });
    (out, size)
}

#[cfg(test)]
mod tests {
    use super::super::same;
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
    }

    /// Follows the definition in f64.
    fn reference(
        kernel: &Depthwise,
        x: &[f32],
        side: usize,
        stride: usize,
        ceiling: f64,
    ) -> Vec<f32> {
        let channels = kernel.bias.len();
        let (before, outputs) = same(side, kernel.side, stride);
        let at = |output: usize, tap: usize| {
            (output * stride + tap).checked_sub(before).filter(|&at| at < side)
        };
        let mut all = Vec::new();
        for (y, x_out) in (0..outputs).flat_map(|y| (0..outputs).map(move |x| (y, x))) {
            for channel in 0..channels {
                let mut sum = f64::from(kernel.bias[channel]);
                for tap in 0..kernel.side * kernel.side {
                    let weight = f64::from(kernel.weight[tap * channels + channel]);
                    let line = at(y, tap / kernel.side);
                    let column = at(x_out, tap % kernel.side);
                    if let (Some(line), Some(column)) = (line, column) {
                        let value = f64::from(x[(line * side + column) * channels + channel]);
                        sum += weight * value.min(ceiling);
                    }
                }
                all.push(sum.clamp(0.0, 6.0) as f32);
            }
        }
        all
    }

    #[test]
    fn depthwise_follows_its_definition() {
        for (side, kernel_side, stride) in
            [(14, 3, 1), (15, 5, 1), (14, 5, 2), (16, 3, 2), (3, 5, 2)]
        {
            for channels in [1, 16, 35] {
                let weight = values(kernel_side * kernel_side * channels, 2);
                let kernel = Depthwise { side: kernel_side, weight, bias: values(channels, 3) };
                let x = values(side * side * channels, 1);
                let (before, outputs) = same(side, kernel_side, stride);
                let needed = (outputs - 1) * stride + kernel_side;
                let (padded, size) = padded(&x, side, channels, before, needed, 0.5);
                let mut out = vec![-1.0; outputs * outputs * channels];
                kernel.apply(&padded, size, stride, 6.0, &mut out);
                let expected = reference(&kernel, &x, side, stride, 0.5);
                for (out, expected) in out.iter().zip(&expected) {
                    assert!(
                        (out - expected).abs() < 1e-5,
                        "{side} {kernel_side}: {out}, {expected}"
                    );
                }
            }
        }
    }
}
