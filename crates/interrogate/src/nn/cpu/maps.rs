//! Convolutions over feature maps whose rows are pixels.

use std::array::from_fn;

use rayon::prelude::*;

use super::HostRows;
use crate::Result;
use crate::nn::linear::{Epilogue, Linear};
use crate::nn::scratch::Scratch;
use crate::nn::simd::{Isa, Kernel, Simd};
use crate::nn::{Activation, Window, check};

/// The most values of windows that are unfolded at a time: few enough for the caches.
const UNFOLDED: usize = 256 * 1024;

/// The fewest rows that are unfolded at a time, so that products run at full speed.
const LEAST_ROWS: usize = 256;

/// Convolves `x` with `layer`, whose inputs are the taps of a window, each with all channels.
/// Unfolds some windows at a time into rows of the product.
pub(super) fn convolve(
    layer: &Linear,
    window: &Window,
    x: &HostRows,
    activation: Activation,
    out: &mut HostRows,
) -> Result<()> {
    let (width, outputs) = (window.taps() * x.width, layer.outputs());
    check("a convolution's input", layer.inputs(), width)?;
    let count = window.maps(x.len())? * window.outputs() * window.outputs();
    let most = (UNFOLDED / width.max(1)).max(LEAST_ROWS).min(count);
    let mut rows = Scratch::with_len(most * width);
    let out = out.shaped(count, outputs).chunks_mut((most * outputs).max(1));
    for (number, out) in out.enumerate() {
        let part = &mut rows[..out.len() / outputs * width];
        part.par_chunks_mut(width).enumerate().with_min_len(16).for_each(|(row, to)| {
            unfold(window, x, number * most + row, to);
        });
        let m = out.len() / outputs;
        layer.apply(part, m, out, Epilogue { activation, residual: None })?;
    }
    Ok(())
}

/// Copies window number `number`, (taps, channels), with zeros for the padding.
fn unfold(window: &Window, x: &HostRows, number: usize, to: &mut [f32]) {
    let (channels, outputs, side) = (x.width, window.outputs(), window.side);
    let (map, at) = (number / (outputs * outputs), number % (outputs * outputs));
    let (lines, top) = window.taps_on_map(at / outputs);
    let (columns, left) = window.taps_on_map(at % outputs);
    for (tap, to) in to.chunks_exact_mut(window.kernel * channels).enumerate() {
        if !lines.contains(&tap) {
            to.fill(0.0);
            continue;
        }
        let line = map * side + top + tap - lines.start;
        let from = &x.values[(line * side + left) * channels..][..columns.len() * channels];
        let (before, rest) = to.split_at_mut(columns.start * channels);
        let (inside, after) = rest.split_at_mut(from.len());
        before.fill(0.0);
        inside.copy_from_slice(from);
        after.fill(0.0);
    }
}

/// Convolves each channel of `x` with its own column of `kernel` (taps, channels), and adds
/// `bias` (1, channels).
pub(super) fn depthwise(
    [kernel, bias]: [&HostRows; 2],
    window: &Window,
    x: &HostRows,
    out: &mut HostRows,
) -> Result<()> {
    let channels = x.width;
    check("a depthwise kernel", window.taps() * channels, kernel.values.len())?;
    check("a depthwise bias", channels, bias.values.len())?;
    let outputs = window.outputs();
    let count = window.maps(x.len())? * outputs * outputs;
    let (kernel, bias, x) = (&kernel.values[..], &bias.values[..], &x.values[..]);
    let out = out.shaped(count, channels).par_chunks_mut((outputs * channels).max(1));
    out.enumerate().for_each(|(line, out)| {
        let map = window.side * window.side * channels;
        let x = &x[line / outputs * map..][..map];
        Isa::best().run(Line { window, kernel, bias, x, line: line % outputs, out });
    });
    Ok(())
}

/// A line of outputs of one map.
struct Line<'a> {
    window: &'a Window,
    kernel: &'a [f32],
    bias: &'a [f32],
    /// The map.
    x: &'a [f32],
    line: usize,
    out: &'a mut [f32],
}

impl Line<'_> {
    /// Calls `add` for each tap on the map, with the values under it and its own values, from
    /// channel `at` on.
    #[inline(always)]
    fn each_tap(&self, column: usize, at: usize, mut add: impl FnMut(&[f32], &[f32])) {
        let Line { window, kernel, x, .. } = self;
        let channels = self.bias.len();
        let (lines, top) = window.taps_on_map(self.line);
        let (columns, left) = window.taps_on_map(column);
        for tap_line in lines.clone() {
            let pixel = (top + tap_line - lines.start) * window.side + left;
            let tap = tap_line * window.kernel + columns.start;
            let x = x[pixel * channels..].chunks_exact(channels);
            let taps = kernel[tap * channels..].chunks_exact(channels);
            x.zip(taps).take(columns.len()).for_each(|(x, tap)| add(&x[at..], &tap[at..]));
        }
    }
}

impl Kernel for Line<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.bias.len();
        let out = std::mem::take(&mut self.out);
        for (column, out) in out.chunks_exact_mut(channels).enumerate() {
            let mut at = 0;
            // Four sums at a time hide the latency of the additions.
            while at + 4 * S::LANES <= channels {
                let mut sums: [S::V; 4] = from_fn(|n| s.read(&self.bias[at + n * S::LANES..]));
                self.each_tap(column, at, |x, tap| {
                    for (n, sum) in sums.iter_mut().enumerate() {
                        let from = n * S::LANES;
                        *sum = s.fma(s.read(&x[from..]), s.read(&tap[from..]), *sum);
                    }
                });
                for (n, sum) in sums.into_iter().enumerate() {
                    s.write(&mut out[at + n * S::LANES..], sum);
                }
                at += 4 * S::LANES;
            }
            while at < channels {
                let len = S::LANES.min(channels - at);
                let read = |from: &[f32]| s.read_part(&from[..len], 0.0);
                let mut sum = read(&self.bias[at..]);
                self.each_tap(column, at, |x, tap| sum = s.fma(read(x), read(tap), sum));
                let mut lanes = [0.0; 16];
                s.write(&mut lanes, sum);
                out[at..at + len].copy_from_slice(&lanes[..len]);
                at += len;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Precision;
    use crate::weights::Values;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect()
    }

    fn maps(count: usize, side: usize, channels: usize) -> HostRows {
        HostRows { width: channels, values: values(count * side * side * channels, 1) }
    }

    /// Sums over the taps and channels `from` of each window: by the definition, in f64.
    fn reference(
        window: &Window,
        x: &HostRows,
        outputs: usize,
        from: impl Fn(usize) -> std::ops::Range<usize>,
        weight: impl Fn(usize, usize, usize) -> f32,
    ) -> Vec<f32> {
        let (side, sides) = (window.side as isize, window.outputs());
        let maps = x.len() / (window.side * window.side);
        let mut found = Vec::new();
        for number in 0..maps * sides * sides {
            let (map, at) = (number / (sides * sides), number % (sides * sides));
            let corner =
                |output: usize| (output * window.stride) as isize - window.padding as isize;
            let (top, left) = (corner(at / sides), corner(at % sides));
            for output in 0..outputs {
                let mut sum = 0.0;
                for tap in 0..window.taps() {
                    let y = top + (tap / window.kernel) as isize;
                    let column = left + (tap % window.kernel) as isize;
                    if (0..side).contains(&y) && (0..side).contains(&column) {
                        let pixel = (map * window.side + y as usize) * window.side;
                        let row = x.row(pixel + column as usize);
                        for channel in from(output) {
                            sum +=
                                f64::from(row[channel]) * f64::from(weight(output, tap, channel));
                        }
                    }
                }
                found.push(sum as f32);
            }
        }
        found
    }

    #[track_caller]
    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let bound = 1e-4 * expected.abs().max(1.0);
            assert!((found - expected).abs() < bound, "{found}, not {expected}");
        }
    }

    const WINDOWS: [Window; 7] = [
        Window { side: 6, kernel: 3, stride: 1, padding: 1 },
        Window { side: 7, kernel: 3, stride: 2, padding: 1 },
        Window { side: 9, kernel: 4, stride: 4, padding: 0 },
        Window { side: 8, kernel: 2, stride: 2, padding: 0 },
        Window { side: 3, kernel: 7, stride: 1, padding: 3 },
        Window { side: 20, kernel: 7, stride: 1, padding: 3 },
        Window { side: 1, kernel: 2, stride: 2, padding: 0 },
    ];

    #[test]
    fn convolution_follows_its_definition() {
        for window in WINDOWS {
            for (channels, outputs) in [(3, 5), (32, 16)] {
                let x = maps(3, window.side, channels);
                let weight = values(outputs * window.taps() * channels, 2);
                let bias = values(outputs, 3);
                let of = |out: usize, tap: usize, channel: usize| {
                    weight[(out * window.taps() + tap) * channels + channel]
                };
                let mut expected = reference(&window, &x, outputs, |_| 0..channels, of);
                for row in expected.chunks_exact_mut(outputs) {
                    row.iter_mut().zip(&bias).for_each(|(v, bias)| *v = (*v + bias).max(0.0));
                }
                let shape = [outputs, window.taps() * channels];
                let weight = Values::owned(&weight);
                let layer = Linear::new(&weight, shape, Some(bias), Precision::F32, false).unwrap();
                let mut out = HostRows::default();
                convolve(&layer, &window, &x, Activation::Relu, &mut out).unwrap();
                assert_eq!(out.width, outputs);
                close(&out.values, &expected);
            }
        }
    }

    #[test]
    fn depthwise_convolution_follows_its_definition() {
        for window in WINDOWS {
            for channels in [3, 16, 70] {
                let x = maps(2, window.side, channels);
                let kernel = values(window.taps() * channels, 2);
                let bias = values(channels, 3);
                let of = |channel: usize, tap: usize, _| kernel[tap * channels + channel];
                let mut expected = reference(&window, &x, channels, |out| out..out + 1, of);
                for row in expected.chunks_exact_mut(channels) {
                    row.iter_mut().zip(&bias).for_each(|(v, bias)| *v += bias);
                }
                let [kernel, bias] =
                    [&kernel, &bias].map(|v| HostRows { width: channels, values: v.clone() });
                let mut out = HostRows::default();
                depthwise([&kernel, &bias], &window, &x, &mut out).unwrap();
                close(&out.values, &expected);
            }
        }
    }

    #[test]
    fn map_does_not_depend_on_its_batch() {
        let window = WINDOWS[5];
        let (all, one) = (maps(4, window.side, 20), maps(1, window.side, 20));
        let weight = Values::owned(&values(8 * window.taps() * 20, 2));
        let shape = [8, window.taps() * 20];
        let layer = Linear::new(&weight, shape, None, Precision::F32, false).unwrap();
        let kernel = HostRows { width: 20, values: values(window.taps() * 20, 4) };
        let bias = HostRows { width: 20, values: values(20, 5) };
        let [mut whole, mut single] = [HostRows::default(), HostRows::default()];
        convolve(&layer, &window, &all, Activation::None, &mut whole).unwrap();
        convolve(&layer, &window, &one, Activation::None, &mut single).unwrap();
        assert_eq!(whole.values[..single.values.len()], single.values);
        depthwise([&kernel, &bias], &window, &all, &mut whole).unwrap();
        depthwise([&kernel, &bias], &window, &one, &mut single).unwrap();
        assert_eq!(whole.values[..single.values.len()], single.values);
    }

    #[test]
    fn shapes_that_do_not_match_are_refused() {
        let (window, x) = (WINDOWS[0], maps(1, 6, 4));
        let weight = Values::owned(&values(2 * 9 * 3, 2));
        let layer = Linear::new(&weight, [2, 27], None, Precision::F32, false).unwrap();
        let mut out = HostRows::default();
        assert!(convolve(&layer, &window, &x, Activation::None, &mut out).is_err());
        let rows = |count: usize| HostRows { width: 4, values: values(count * 4, 1) };
        assert!(depthwise([&rows(8), &rows(1)], &window, &x, &mut out).is_err());
        assert!(depthwise([&rows(9), &rows(2)], &window, &x, &mut out).is_err());
        let part = HostRows { width: 4, values: values(35 * 4, 1) };
        assert!(depthwise([&rows(9), &rows(1)], &window, &part, &mut out).is_err());
        assert!(depthwise([&rows(9), &rows(1)], &window, &x, &mut out).is_ok());
    }
}
