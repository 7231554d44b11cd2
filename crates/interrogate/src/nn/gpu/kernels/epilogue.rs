//! What follows a product: `activation(product + bias) + residual`.

use candle_core::{DType, Result, Tensor};

use super::{Kernels, SUMS};
use crate::nn::Activation;

/// Applies `activation` to all values, in f32.
pub(in super::super) fn activate(activation: Activation, rows: &Tensor) -> Result<Tensor> {
    compute(activation, rows.to_dtype(DType::F32)?)?.to_dtype(rows.dtype())
}

fn compute(activation: Activation, x: Tensor) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x),
        Activation::QuickGelu => &x * candle_nn::ops::sigmoid(&(&x * 1.702)?)?,
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
    }
}

impl Kernels {
    /// Returns `activation(product + bias) + residual`, which is a sum with a residual. Without
    /// one, `product` may be overwritten; nothing else may refer to it.
    pub(in super::super) fn epilogue(
        &self,
        product: Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        if bias.is_none() && residual.is_none() && activation == Activation::None {
            return Ok(product);
        }
        #[cfg(feature = "cuda")]
        if let Some(found) = self.launch_epilogue(&product, bias, activation, residual)? {
            return Ok(found);
        }
        self.compute_epilogue(&product, bias, activation, residual)
    }

    pub(super) fn compute_epilogue(
        &self,
        product: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let mut y = product.to_dtype(DType::F32)?;
        if let Some(bias) = bias {
            y = y.broadcast_add(bias)?;
        }
        y = compute(activation, y)?;
        match residual {
            Some(residual) => (y + residual.to_dtype(DType::F32)?)?.to_dtype(SUMS),
            None => y.to_dtype(self.dtype),
        }
    }
}
