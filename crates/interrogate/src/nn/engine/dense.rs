//! The fully connected layer on a device.

use candle_core::{DType, Device, Result, Tensor};

use super::super::Activation;
use super::super::linear::on_device;
use super::super::precision::Precision;

/// `activation(x W^T + b) + residual` over tensors.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    /// (out, in) in the precision's type.
    weight: Tensor,
    /// (out) in f32.
    bias: Option<Tensor>,
}

impl Dense {
    /// Copies `weight` (out, in) and `bias` (out) to `device`, the weight in
    /// `precision`.
    pub(crate) fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        // Narrowed before it is copied.
        let weight = weight.to_dtype(precision.dtype())?.to_device(device)?;
        let bias = bias.map(|bias| bias.to_dtype(DType::F32)?.to_device(device)).transpose()?;
        Ok(Dense { weight, bias })
    }

    /// `x W^T + b`: (rows, in) to (rows, out) in f32.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, Activation::None, None)
    }

    /// `activation(x W^T + b) + residual`, where `residual` is (rows, out).
    pub(crate) fn forward_with(
        &self,
        x: &Tensor,
        activation: Activation,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        on_device(x, x.dim(0)?, &self.weight, self.bias.as_ref(), activation, residual)
    }
}
