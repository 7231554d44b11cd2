//! Layers of a checkpoint's weights, under the names that PyTorch gives their parts.

use candle_core::Device;

use super::super::precision::Precision;
use super::{Dense, Norm};
use crate::weights::Weights;
use crate::{Error, Result};

/// What is tried where a weight goes to the device.
pub(crate) const COPY: &str = "copy a weight to the device";

/// The product with `{name}.weight` of `shape` (out, in..), seen as a matrix, and
/// `{name}.bias` (out).
///
/// # Errors
/// Those of [`Weights::take`], [`Error::Engine`].
pub(crate) fn dense(
    weights: &Weights,
    name: &str,
    shape: &[usize],
    precision: Precision,
    device: &Device,
) -> Result<Dense> {
    let weight = weights.take(&format!("{name}.weight"), shape)?;
    let bias = weights.take(&format!("{name}.bias"), &shape[..1])?;
    let kept = weight.flatten_from(1);
    let kept = kept.and_then(|weight| Dense::new(&weight, Some(&bias), precision, device));
    kept.map_err(Error::engine(COPY))
}

/// The layer norm of `{name}.weight` and `{name}.bias`, both (dim).
///
/// # Errors
/// As for [`dense`].
pub(crate) fn norm(
    weights: &Weights,
    name: &str,
    dim: usize,
    eps: f64,
    device: &Device,
) -> Result<Norm> {
    let weight = weights.take(&format!("{name}.weight"), &[dim])?;
    let bias = weights.take(&format!("{name}.bias"), &[dim])?;
    Norm::new(&weight, Some(&bias), eps, device).map_err(Error::engine(COPY))
}
