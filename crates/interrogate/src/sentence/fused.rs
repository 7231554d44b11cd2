//! What stands behind a product, in one pass over its result: bias with GELU,
//! bias with residual and layer norm. In place, row by row, on all threads.

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, bail};
use rayon::prelude::*;

use super::lanes::sum;

/// Rows of one task: enough work that handing it out does not count.
const TASK: usize = 64;

/// `gelu(y + bias)` in every row.
#[derive(Debug)]
pub(super) struct BiasGelu {
    /// One value a column.
    pub(super) bias: Vec<f32>,
}

/// The layer norm of `y + bias + residual`, where the residual's rows are used
/// over and over if they are fewer.
///
/// Ba et al., arXiv 1607.06450, with the variance taken about the mean.
#[derive(Debug)]
pub(super) struct BiasNorm {
    /// Added first, one value a column.
    pub(super) bias: Vec<f32>,
    /// Scale of the normed values, one a column.
    pub(super) scale: Vec<f32>,
    /// Added last, one value a column.
    pub(super) shift: Vec<f32>,
    /// Keeps the variance off zero.
    pub(super) epsilon: f32,
}

impl InplaceOp1 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu"
    }

    fn cpu_fwd(&self, y: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = self.bias.len();
        let y = rows_mut(y, layout, width)?;
        y.par_chunks_mut(TASK * width).flat_map_iter(|task| task.chunks_exact_mut(width)).for_each(
            |row| row.iter_mut().zip(&self.bias).for_each(|(y, bias)| *y = gelu(*y + bias)),
        );
        Ok(())
    }
}

impl InplaceOp2 for BiasNorm {
    fn name(&self) -> &'static str {
        "bias-norm"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let width = self.bias.len();
        let y = rows_mut(y, layout, width)?;
        let residual = match (residual, residual_layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((from, to))) => &values[from..to],
            _ => bail!("a residual must be contiguous f32 values"),
        };
        if residual.is_empty() || !residual.len().is_multiple_of(width) {
            bail!("a residual of {} values is no whole number of rows", residual.len());
        }
        let rows = residual.len() / width;
        y.par_chunks_mut(TASK * width).enumerate().for_each(|(task, y)| {
            for (row, y) in y.chunks_exact_mut(width).enumerate() {
                let row = (task * TASK + row) % rows;
                self.norm(y, &residual[row * width..(row + 1) * width]);
            }
        });
        Ok(())
    }
}

impl BiasNorm {
    fn norm(&self, y: &mut [f32], residual: &[f32]) {
        for ((y, bias), residual) in y.iter_mut().zip(&self.bias).zip(residual) {
            *y += bias + residual;
        }
        let width = y.len() as f32;
        let mean = sum(y, |v| v) / width;
        let variance = sum(y, |v| (v - mean) * (v - mean)) / width;
        let factor = (variance + self.epsilon).sqrt().recip();
        for ((y, scale), shift) in y.iter_mut().zip(&self.scale).zip(&self.shift) {
            *y = (*y - mean) * factor * scale + shift;
        }
    }
}

/// The values of a contiguous f32 tensor that is rows of `width` values.
fn rows_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
    width: usize,
) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) if layout.dims().last() == Some(&width) => {
            Ok(&mut values[from..to])
        }
        _ => bail!("contiguous f32 rows of {width} values are needed here"),
    }
}

/// `x * Phi(x)`, Phi the standard normal distribution (Hendrycks and Gimpel,
/// arXiv 1606.08415).
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function within 5e-7, without a branch or a call.
///
/// The rational function of odd degree 13 over even degree 8 that Eigen uses for
/// f32 (`generic_fast_erf_float`): beyond 4 the result is 1 to the last bit.
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let over = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    let under = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2];
    let horner = |terms: &[f32]| terms.iter().fold(0.0, |sum, term| sum * square + term);
    x * horner(&over) / horner(&under)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::cpu::erf::erf_f64;
    use candle_core::{Device, Tensor};

    #[test]
    fn the_error_function_is_within_its_word() {
        let steps = (-60_000..=60_000).map(|step| step as f32 * 1e-4);
        for x in steps.chain([f32::MIN, f32::MAX, f32::INFINITY, 1e-30]) {
            let apart = (f64::from(erf(x)) - erf_f64(f64::from(x))).abs();
            assert!(apart < 5e-7, "{apart} at {x}");
        }
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn bias_and_gelu_agree_with_candles_for_more_rows_than_a_task_has() {
        let x = Tensor::randn(0f32, 3., (150, 5), &Device::Cpu).unwrap();
        let shift = Tensor::randn(0f32, 1., 5, &Device::Cpu).unwrap();
        let theirs = x.broadcast_add(&shift).unwrap().gelu_erf().unwrap();
        x.inplace_op1(&BiasGelu { bias: shift.to_vec1().unwrap() }).unwrap();
        let apart = (x - theirs).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 2e-6, "{apart}");
    }

    #[test]
    fn norm_agrees_with_candles_and_wraps_the_residual() {
        let column = || Tensor::randn(0f32, 1., 7, &Device::Cpu).unwrap();
        let (bias, scale, shift) = (column(), column(), column());
        let y = Tensor::randn(1f32, 3., (150, 7), &Device::Cpu).unwrap();
        let residual = Tensor::randn(0f32, 1., (3, 7), &Device::Cpu).unwrap();
        let sum = y.broadcast_add(&bias).unwrap() + residual.repeat((50, 1)).unwrap();
        let theirs = candle_nn::ops::layer_norm_slow(&sum.unwrap(), &scale, &shift, 1e-6).unwrap();
        let values = |t: Tensor| t.to_vec1::<f32>().unwrap();
        let (bias, scale, shift) = (values(bias), values(scale), values(shift));
        y.inplace_op2(&residual, &BiasNorm { bias, scale, shift, epsilon: 1e-6 }).unwrap();
        let apart = (y - theirs).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 1e-5, "{apart}");
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let x = Tensor::zeros((4, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = x.inplace_op1(&BiasGelu { bias: vec![0.0; 4] }).unwrap_err().to_string();
        assert!(error.contains("rows of 4 values are needed here"), "{error}");
    }
}
