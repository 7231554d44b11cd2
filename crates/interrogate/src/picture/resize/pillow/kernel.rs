//! The weights of a resize, as integers of 22 bits.

use std::ops::Range;

use crate::limits;
use crate::picture::resize::{Filter, Window};

/// Fractional bits of a weight.
pub(super) const BITS: u32 = 22;

/// Values of eight RGB pixels: a multiple of three and of the lanes of every vector.
pub(super) const LANES: usize = 24;

/// The neighbors of one pixel of the result, and their weights.
pub(super) struct Kernel {
    filter: Filter,
    center: f64,
    /// 1 / the factor of reduction.
    step: f64,
    /// The first neighbor.
    pub(super) first: usize,
    /// Number of neighbors.
    pub(super) len: usize,
    /// Sum of the weights before they are normalized.
    sum: f64,
}

impl Kernel {
    fn unnormalized(&self, neighbor: usize) -> f64 {
        let at = (self.first + neighbor) as f64;
        self.filter.weight((at - self.center + 0.5) * self.step)
    }

    /// Returns the weights of `neighbors`, counted from the first, as integers.
    pub(super) fn weights(&self, neighbors: Range<usize>) -> impl Iterator<Item = i32> + '_ {
        neighbors.map(|neighbor| {
            let weight = match self.sum {
                0.0 => self.unnormalized(neighbor),
                sum => self.unnormalized(neighbor) / sum,
            };
            let fixed = weight * f64::from(1 << BITS);
            (if weight < 0.0 { fixed - 0.5 } else { fixed + 0.5 }) as i32
        })
    }
}

impl Window {
    /// Returns the kernel of pixel `at` of the window.
    pub(super) fn kernel(self, filter: Filter, at: usize) -> Kernel {
        // Pillow converts the length to f32.
        let scale = f64::from(self.from as f32) / self.to as f64;
        let widened = scale.max(1.0);
        let support = filter.support() * widened;
        let center = ((self.start + at as u64) as f64 + 0.5) * scale;
        let from = self.from as usize;
        // The cast truncates toward zero and turns a negative value into zero.
        let first = ((center - support + 0.5) as usize).min(from - 1);
        let end = ((center + support + 0.5) as usize).clamp(first + 1, from);
        let mut kernel =
            Kernel { filter, center, step: 1.0 / widened, first, len: end - first, sum: 0.0 };
        kernel.sum = (0..kernel.len)
            .map(|neighbor| kernel.unnormalized(neighbor))
            .fold(0.0, |sum, weight| sum + weight);
        kernel
    }

    /// Returns the pixels of the original side that the window depends on.
    pub(super) fn source_range(self, filter: Filter) -> Range<usize> {
        if u64::from(self.from) == self.to {
            let start = self.start as usize;
            return start..start + self.len as usize;
        }
        let last = self.kernel(filter, self.len as usize - 1);
        self.kernel(filter, 0).first..last.first + last.len
    }
}

/// Weights of consecutive pixels of the result. Each weight is stored three times, for the
/// three channels, and each pixel's weights are padded with zeros to a multiple of
/// [`LANES`].
#[derive(Default)]
pub(super) struct WeightTable {
    pub(super) weights: Vec<i32>,
    /// For each pixel its first neighbor and its range of `weights`.
    pub(super) pixels: Vec<(usize, Range<usize>)>,
}

impl WeightTable {
    /// Adds a pixel with some neighbors of `kernel`.
    pub(super) fn push(&mut self, kernel: &Kernel, neighbors: Range<usize>) {
        let (start, first) = (self.weights.len(), kernel.first + neighbors.start);
        self.weights.extend(kernel.weights(neighbors).flat_map(|weight| [weight; 3]));
        self.weights.resize(start + (self.weights.len() - start).next_multiple_of(LANES), 0);
        self.pixels.push((first, start..self.weights.len()));
    }
}

/// Splits `len` neighbors into ranges whose weights fit [`limits::RESIZE_WEIGHTS`].
pub(super) fn neighbor_ranges(len: usize) -> impl Iterator<Item = Range<usize>> {
    let most = limits::RESIZE_WEIGHTS / 3 - LANES;
    (0..len).step_by(most).map(move |start| start..len.min(start + most))
}
