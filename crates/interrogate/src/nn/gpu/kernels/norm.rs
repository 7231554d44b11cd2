//! Layer norm and RMS norm, alone and after a residual sum.

use candle_core::{D, DType, Result, Tensor};

use super::super::DeviceNorm;
use super::Kernels;
use crate::nn::Activation;

/// What is added to rows before they are normalized: a product and its bias.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Branch<'a> {
    pub(in super::super) product: &'a Tensor,
    pub(in super::super) bias: Option<&'a Tensor>,
}

impl Kernels {
    /// Returns the normalized rows of `x`.
    pub(in super::super) fn norm(&self, x: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Some((normed, _)) = self.launch_norm(x, None, norm, false)? {
            return Ok(normed);
        }
        self.compute_norm(x, norm)
    }

    /// Adds `branch` to `x`. Returns the normalized sum, and the sum if `keep`.
    pub(in super::super) fn sum_and_norm(
        &self,
        x: &Tensor,
        branch: Branch<'_>,
        norm: &DeviceNorm,
        keep: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        #[cfg(feature = "cuda")]
        if let Some(found) = self.launch_norm(x, Some(branch), norm, keep)? {
            return Ok(found);
        }
        let Branch { product, bias } = branch;
        let sum = self.compute_epilogue(product, bias, Activation::None, Some(x))?;
        Ok((self.compute_norm(&sum, norm)?, keep.then_some(sum)))
    }

    fn compute_norm(&self, x: &Tensor, norm: &DeviceNorm) -> Result<Tensor> {
        let DeviceNorm { weight, bias, eps } = norm;
        let x = x.to_dtype(DType::F32)?;
        let x = match bias {
            Some(_) => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
            None => x,
        };
        let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
        let y = x.broadcast_div(&(variance + *eps)?.sqrt()?)?.broadcast_mul(weight)?;
        let y = match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        y.to_dtype(self.dtype)
    }
}
