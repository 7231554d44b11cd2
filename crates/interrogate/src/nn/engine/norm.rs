//! Normalisation on a device.

use candle_core::{DType, Device, Result, Tensor};

use super::super::norm::on_device;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over each row; without a bias
/// the rows are not centred.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    /// Copies `weight` and `bias`, both (dim), to `device`.
    pub(crate) fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        eps: f64,
        device: &Device,
    ) -> Result<Self> {
        let copy = |t: &Tensor| t.to_dtype(DType::F32)?.to_device(device);
        Ok(Norm { weight: copy(weight)?, bias: bias.map(copy).transpose()?, eps })
    }

    /// Normalises the rows of `x` (rows, dim).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        on_device(x, &self.weight, self.bias.as_ref(), self.eps)
    }
}
