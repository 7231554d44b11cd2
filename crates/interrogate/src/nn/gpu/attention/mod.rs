//! Attention on a device: by kernels on CUDA ([`kernels`]), else by candle's operations
//! ([`operations`]).

#[cfg(feature = "cuda")]
mod kernels;
mod operations;

use candle_core::{Result, Tensor};

use super::super::{Heads, RelativeBias};
use super::kv::KeysAndValues;
use super::scope::GpuScope;
#[cfg(feature = "cuda")]
pub(super) use kernels::sources;

/// Returns the attention of `queries` (n, width) to `kv`, in the type of the queries.
pub(super) fn attend(
    heads: Heads,
    queries: &Tensor,
    kv: KeysAndValues<'_>,
    scope: &GpuScope,
    bias: Option<&RelativeBias>,
) -> Result<Tensor> {
    if queries.dim(0)? == 0 {
        return Ok(queries.clone());
    }
    #[cfg(feature = "cuda")]
    if let Some(attended) = kernels::attend(heads, queries, kv, scope, bias)? {
        return Ok(attended);
    }
    operations::attend(heads, queries, kv, scope, bias)
}
