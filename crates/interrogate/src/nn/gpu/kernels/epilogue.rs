//! What follows a product: `activation(product + bias) + residual`.

use candle_core::{DType, Result, Tensor};

use super::{Kernels, SUMS};
use crate::nn::Activation;

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
        y = match activation {
            Activation::None => y,
            Activation::QuickGelu => (&y * candle_nn::ops::sigmoid(&(&y * 1.702)?)?)?,
            Activation::Gelu => y.gelu_erf()?,
            Activation::GeluTanh => y.gelu()?,
            Activation::Relu => y.relu()?,
            Activation::Silu => y.silu()?,
        };
        match residual {
            Some(residual) => (y + residual.to_dtype(DType::F32)?)?.to_dtype(SUMS),
            None => y.to_dtype(self.dtype),
        }
    }
}
