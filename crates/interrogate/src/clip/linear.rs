//! A product with a weight, and what is fused behind it.
//!
//! Owns how a weight lies in memory and that bias, activation and residual are
//! added in one pass on all threads: the engine's own element-wise operations
//! run on one thread and allocate each time.

use candle_core::{CpuStorage, Device, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor};
use rayon::prelude::*;

use super::activation::Activation;

/// `y = x W^T + b`, the weight (out, in) as checkpoints have it.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// (in, out), contiguous: the layout that the product reads fastest.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// From a weight (out, in), copied once into the layout of the product, and
    /// a bias (out).
    pub(super) fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (out, inner) = weight.dims2()?;
        let (storage, layout) = weight.storage_and_layout();
        let transposed = match &*storage {
            Storage::Cpu(storage) => transpose(contiguous(storage, layout)?, out),
            _ => candle_core::bail!("a weight on another device"),
        };
        let weight = Tensor::from_vec(transposed, (inner, out), &Device::Cpu)?;
        Ok(Linear { weight, bias })
    }

    /// `x` (rows, in) to (rows, out).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, None)
    }

    /// The same, and then the activation.
    pub(super) fn forward_with(&self, x: &Tensor, then: Option<Activation>) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        if let Some(bias) = &self.bias {
            y.inplace_op2(bias, &AddBias { then })?;
        }
        Ok(y)
    }

    /// The same, and then plus `residual` (rows, out).
    pub(super) fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.inplace_op3(bias, residual, &AddBoth)?,
            None => return y + residual,
        }
        Ok(y)
    }
}

/// (out, in) to (in, out), on all threads: reading lines of the source that
/// stay in the cache while sixteen lines of the result are written.
fn transpose(weight: &[f32], out: usize) -> Vec<f32> {
    const LINES: usize = 16;
    let inner = weight.len() / out.max(1);
    let mut transposed = vec![0f32; weight.len()];
    transposed.par_chunks_mut((LINES * out).max(1)).enumerate().for_each(|(block, lines)| {
        for (column, row) in weight.chunks_exact(inner.max(1)).enumerate() {
            let values = &row[block * LINES..];
            for (line, value) in lines.chunks_exact_mut(out).zip(values) {
                line[column] = *value;
            }
        }
    });
    transposed
}

/// `y = then(y + bias)`, row by row.
struct AddBias {
    then: Option<Activation>,
}

/// `y = y + bias + residual`, row by row.
struct AddBoth;

/// Values that one task works on: large enough to be worth its start.
const TASK: usize = 16 << 10;

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<()> {
        let bias = contiguous(bias, bias_layout)?;
        let y = contiguous_mut(y, y_layout)?;
        let rows = (TASK / bias.len().max(1)).max(1);
        y.par_chunks_mut(bias.len().max(1)).with_min_len(rows).for_each(|row| {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            if let Some(activation) = self.then {
                activation.apply(row);
            }
        });
        Ok(())
    }
}

impl InplaceOp3 for AddBoth {
    fn name(&self) -> &'static str {
        "add-bias-and-residual"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let bias = contiguous(bias, bias_layout)?;
        let residual = contiguous(residual, residual_layout)?;
        let y = contiguous_mut(y, y_layout)?;
        if y.len() != residual.len() {
            candle_core::bail!("a residual of {} values for {}", residual.len(), y.len());
        }
        let width = bias.len().max(1);
        let rows = (TASK / width).max(1);
        let both = y.par_chunks_mut(width).zip(residual.par_chunks(width));
        both.with_min_len(rows).for_each(|(row, residual)| {
            for ((y, b), r) in row.iter_mut().zip(bias).zip(residual) {
                *y += b + r;
            }
        });
        Ok(())
    }
}

/// The values of a contiguous f32 tensor.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => candle_core::bail!("a tensor that is not contiguous: {layout:?}"),
    }
}

fn contiguous_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((from, to)), CpuStorage::F32(values)) => Ok(&mut values[from..to]),
        _ => candle_core::bail!("not a contiguous f32 tensor: {layout:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32], shape: (usize, usize)) -> Tensor {
        Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
    }

    fn linear(bias: bool) -> Linear {
        let weight = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2));
        let ten = Tensor::new(&[10f32, 20.0, 30.0], &Device::Cpu).unwrap();
        Linear::new(&weight, bias.then_some(ten)).unwrap()
    }

    fn rows(y: Tensor) -> Vec<Vec<f32>> {
        y.to_vec2().unwrap()
    }

    #[test]
    fn a_weight_is_turned_over() {
        let weight: Vec<f32> = (0..35 * 3).map(|value| value as f32).collect();
        let turned = transpose(&weight, 3);
        for at in 0..weight.len() {
            assert_eq!(turned[at], weight[at % 3 * 35 + at / 3]);
        }
    }

    #[test]
    fn bias_and_residual_are_added_once_to_each_row() {
        let x = tensor(&[1.0, 0.0, 0.0, 1.0], (2, 2));
        let residual = tensor(&[0.5; 6], (2, 3));
        let expected = [[11.0, 23.0, 35.0], [12.0, 24.0, 36.0]];
        assert_eq!(rows(linear(true).forward(&x).unwrap()), expected);
        let expected = [[11.5, 23.5, 35.5], [12.5, 24.5, 36.5]];
        assert_eq!(rows(linear(true).forward_add(&x, &residual).unwrap()), expected);
        let expected = [[1.5, 3.5, 5.5], [2.5, 4.5, 6.5]];
        assert_eq!(rows(linear(false).forward_add(&x, &residual).unwrap()), expected);
    }

    #[test]
    fn the_activation_comes_after_the_bias() {
        let x = tensor(&[-1.0, -8.0], (1, 2));
        let y = linear(true).forward_with(&x, Some(Activation::QuickGelu)).unwrap();
        let found = rows(y);
        // -7, -15 and -23 before the activation.
        for (found, x) in found[0].iter().zip([-7f32, -15.0, -23.0]) {
            assert!((found - x / (1.0 + (-1.702 * x).exp())).abs() < 1e-6);
        }
    }

    #[test]
    fn a_residual_of_another_size_is_an_error() {
        let x = tensor(&[1.0, 0.0], (1, 2));
        assert!(linear(true).forward_add(&x, &tensor(&[0.0; 6], (2, 3))).is_err());
    }
}
