//! Normalisation of rows: to mean 0 and variance 1, or to a root mean square
//! of 1.

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::kernel::{Out, filled, split};
use super::simd::{Kernel, Level, Simd};
use super::values::{on_cpu, values};
use crate::{Error, Result};

/// Values that are worth a task of their own.
const TASK: usize = 16 * 1024;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over each row
/// (Ba, Kiros and Hinton, 2016). The variance is taken in a second pass about
/// the mean, so that a large mean does not drown it.
#[derive(Clone, Debug)]
pub struct LayerNorm(Norm);

/// `x / sqrt(mean square + eps) * weight` over each row (Zhang and Sennrich,
/// 2019): T5's normalisation.
#[derive(Clone, Debug)]
pub struct RmsNorm(Norm);

impl LayerNorm {
    /// Keeps `weight` and `bias`, both `(dim)`.
    ///
    /// # Errors
    /// [`Error::Dim`] where they differ in length, [`Error::Engine`] where they
    /// are no float vectors.
    pub fn new(weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Self> {
        Norm::new(weight, Some(bias), eps).map(LayerNorm)
    }

    /// Normalises the rows of `x` `(.., dim)` in f32.
    ///
    /// # Errors
    /// [`Error::Dim`] where a row is not `dim` values, [`Error::Engine`] where
    /// the engine fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }

    /// The same over slices of `(rows, dim)`, without allocating.
    ///
    /// # Errors
    /// [`Error::Dim`] where the slices differ in length or end within a row.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) -> Result<()> {
        self.0.apply(x, out)
    }
}

impl RmsNorm {
    /// Keeps `weight` `(dim)`.
    ///
    /// # Errors
    /// [`Error::Engine`] where it is no float vector.
    pub fn new(weight: &Tensor, eps: f64) -> Result<Self> {
        Norm::new(weight, None, eps).map(RmsNorm)
    }

    /// Normalises the rows of `x` `(.., dim)` in f32.
    ///
    /// # Errors
    /// [`Error::Dim`] where a row is not `dim` values, [`Error::Engine`] where
    /// the engine fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }

    /// The same over slices of `(rows, dim)`, without allocating.
    ///
    /// # Errors
    /// [`Error::Dim`] where the slices differ in length or end within a row.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) -> Result<()> {
        self.0.apply(x, out)
    }
}

/// Both: with a bias the rows are centred, without one they are not.
#[derive(Clone, Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
    /// The parameters where they came from, for other devices than the CPU.
    tensors: (Tensor, Option<Tensor>),
}

impl Norm {
    fn new(weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Self> {
        let keep = |t: &Tensor| -> candle_core::Result<(Tensor, Vec<f32>)> {
            let t = t.to_dtype(DType::F32)?;
            let values = t.to_vec1()?;
            Ok((t, values))
        };
        let engine = || Error::engine("keep a normalisation's weight");
        let (weight, weight_values) = keep(weight).map_err(engine())?;
        let bias = bias.map(keep).transpose().map_err(engine())?;
        let (bias, bias_values) = bias.unzip();
        if let Some(bias) = &bias_values {
            check("bias", weight_values.len(), bias.len())?;
        }
        check("normalisation's weight", weight_values.len().max(1), weight_values.len())?;
        let (eps, tensors) = (eps as f32, (weight, bias));
        Ok(Norm { weight: weight_values, bias: bias_values, eps, tensors })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let dim = self.weight.len();
        check("normalisation's input", dim, x.dims().last().copied().unwrap_or(0))?;
        let y = if on_cpu(x) {
            let normalize = |x: &[f32]| {
                // SAFETY: `run` writes each value of each row.
                unsafe { filled(x.len(), dim, |out| self.run(x, out)) }
            };
            values(x, normalize).and_then(|y| Tensor::from_vec(y, x.shape(), x.device()))
        } else {
            on_device(x, &self.tensors.0, self.tensors.1.as_ref(), f64::from(self.eps))
        };
        y.map_err(Error::engine("normalise rows"))
    }

    fn apply(&self, x: &[f32], out: &mut [f32]) -> Result<()> {
        check("normalisation's output", x.len(), out.len())?;
        let dim = self.weight.len();
        check("normalisation's input", x.len().next_multiple_of(dim), x.len())?;
        self.run(x, Out::new(out, dim));
        Ok(())
    }

    fn run(&self, x: &[f32], out: Out<'_>) {
        let dim = self.weight.len();
        let rows = x.len() / dim;
        let parts = rows.div_ceil((TASK / dim).max(1));
        (0..parts).into_par_iter().for_each(|i| {
            let rows = split::part(rows, parts, i);
            Level::best().run(Normalize { norm: self, x, rows, out });
        });
    }
}

/// By the engine's own operations.
pub(super) fn on_device(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    eps: f64,
) -> candle_core::Result<Tensor> {
    let mut x = x.to_dtype(DType::F32)?;
    if bias.is_some() {
        x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    }
    let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
    let y = x.broadcast_div(&(variance + eps)?.sqrt()?)?;
    let y = y.broadcast_mul(weight)?;
    bias.map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
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
            // The lanes behind the end of a part hold the center: they add 0.
            let variance = sum_filled(s, x, center, square) / dim as f32;
            let scale = s.splat(1.0 / (variance + eps).sqrt());
            let put = |x: S::V, w: S::V, b: Option<S::V>| {
                let y = s.mul(s.sub(x, c), scale);
                b.map_or_else(|| s.mul(y, w), |b| s.fma(y, w, b))
            };
            let whole = dim - dim % S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                let b = bias.as_ref().map(|b| s.read(&b[at..]));
                let y = put(s.read(&x[at..]), s.read(&weight[at..]), b);
                let to = self.out.at(row, at, S::LANES);
                // SAFETY: LANES values of this task's own row, checked by `at`.
                unsafe { s.store(to, y) };
            }
            if whole < dim {
                let b = bias.as_ref().map(|b| s.read_part(&b[whole..], 0.0));
                let x = s.read_part(&x[whole..], 0.0);
                let y = put(x, s.read_part(&weight[whole..], 0.0), b);
                let mut lanes = [0.0; 16];
                s.write(&mut lanes, y);
                let to = self.out.at(row, whole, dim - whole);
                // SAFETY: the rest of this task's own row, checked by `at`.
                unsafe { to.copy_from_nonoverlapping(lanes.as_ptr(), dim - whole) };
            }
        }
    }
}

/// The sum of `f` over the values, vector by vector in four turns.
#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32], f: impl Fn(S::V) -> S::V) -> f32 {
    sum_filled(s, x, 0.0, f)
}

/// The same with `fill` behind the last value, which `f` must take to 0.
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

fn check(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Dim { what, expected, found }) }
}
