//! Normalization of rows: layer norm and RMS norm.

use rayon::prelude::*;

use super::check;
use super::kernel::{Out, split};
use super::simd::{Isa, Kernel, Simd};
use crate::Result;
#[cfg(doc)]
use crate::error::RowsError;

/// Values per task.
const TASK: usize = 16 * 1024;

/// Layer norm `(x - mean) / sqrt(variance + eps) * weight + bias` over each row (Ba, Kiros and
/// Hinton, arXiv 1607.06450), with the variance computed in a second pass about the mean, so
/// that a large mean does not cancel it. Without a bias, RMS norm `x / sqrt(mean square + eps) *
/// weight` (Zhang and Sennrich, arXiv 1910.07467).
#[derive(Debug)]
pub(crate) struct Norm {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
}

impl Norm {
    /// Creates a norm of `weight` and `bias`, both `(dim)`.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if they differ in length or are empty.
    pub(crate) fn new(weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Result<Self> {
        if let Some(bias) = &bias {
            check("bias", weight.len(), bias.len())?;
        }
        check("norm's weight", weight.len().max(1), weight.len())?;
        Ok(Norm { weight, bias, eps: eps as f32 })
    }

    /// Normalizes the rows of `x` `(rows, dim)`, without allocating.
    ///
    /// # Errors
    /// [`RowsError::Dim`] if the slices differ in length or end within a row.
    pub(crate) fn apply(&self, x: &[f32], out: &mut [f32]) -> Result<()> {
        check("norm's output", x.len(), out.len())?;
        let dim = self.weight.len();
        check("norm's input", x.len().next_multiple_of(dim), x.len())?;
        self.run(x, Out::new(out, dim));
        Ok(())
    }

    fn run(&self, x: &[f32], out: Out<'_>) {
        let dim = self.weight.len();
        let rows = x.len() / dim;
        let parts = rows.div_ceil((TASK / dim).max(1));
        (0..parts).into_par_iter().for_each(|i| {
            let rows = split::part(rows, parts, i);
            Isa::best().run(Normalize { norm: self, x, rows, out });
        });
    }
}

/// Some of the rows.
struct Normalize<'a> {
    norm: &'a Norm,
    x: &'a [f32],
    rows: std::ops::Range<usize>,
    out: Out<'a>,
}

impl Kernel for Normalize<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Norm { weight, bias, eps, .. } = self.norm;
        let dim = weight.len();
        for row in self.rows {
            let x = &self.x[row * dim..(row + 1) * dim];
            let center = match bias {
                Some(_) => sum(s, x, |v| v) / dim as f32,
                None => 0.0,
            };
            let c = s.splat(center);
            let square = |v| {
                let d = s.sub(v, c);
                s.mul(d, d)
            };
            // Lanes past the end hold the center, which adds 0.
            let variance = sum_filled(s, x, center, square) / dim as f32;
            let scale = s.splat(1.0 / (variance + eps).sqrt());
            let affine = |x: S::V, w: S::V, b: Option<S::V>| {
                let y = s.mul(s.sub(x, c), scale);
                b.map_or_else(|| s.mul(y, w), |b| s.fma(y, w, b))
            };
            let whole = dim - dim % S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                let b = bias.as_ref().map(|b| s.read(&b[at..]));
                let y = affine(s.read(&x[at..]), s.read(&weight[at..]), b);
                let to = self.out.at(row, at, S::LANES);
                // SAFETY: LANES values of this task's own row, checked by `at`.
                unsafe { s.store(to, y) };
            }
            if whole < dim {
                let b = bias.as_ref().map(|b| s.read_part(&b[whole..], 0.0));
                let x = s.read_part(&x[whole..], 0.0);
                let y = affine(x, s.read_part(&weight[whole..], 0.0), b);
                let mut lanes = [0.0; 16];
                s.write(&mut lanes, y);
                let to = self.out.at(row, whole, dim - whole);
                // SAFETY: the rest of this task's own row, checked by `at`.
                unsafe { to.copy_from_nonoverlapping(lanes.as_ptr(), dim - whole) };
            }
        }
    }
}

/// The sum of `f` over the values, in four vectors of partial sums.
#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32], f: impl Fn(S::V) -> S::V) -> f32 {
    sum_filled(s, x, 0.0, f)
}

/// Like [`sum`], padded with `fill`, which `f` must map to 0.
#[inline(always)]
fn sum_filled<S: Simd>(s: S, x: &[f32], fill: f32, f: impl Fn(S::V) -> S::V) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let whole = x.len() - x.len() % S::LANES;
    for (turn, x) in x[..whole].chunks_exact(S::LANES).enumerate() {
        sums[turn % 4] = s.add(sums[turn % 4], f(s.read(x)));
    }
    if whole < x.len() {
        sums[0] = s.add(sums[0], f(s.read_part(&x[whole..], fill)));
    }
    s.sum(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}
