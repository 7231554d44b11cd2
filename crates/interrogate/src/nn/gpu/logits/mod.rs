//! The reduction of logits on a device: this library's kernel on CUDA, else on the host.

#[cfg(feature = "cuda")]
mod cuda;

use candle_core::{DType, Result, Tensor, bail};

use crate::nn::backend::{LogitsRequest, ReducedLogits};

/// Returns the parts of `logits` (sequences, vocab) that `request` names.
pub(super) fn reduce(logits: &Tensor, request: &LogitsRequest) -> Result<ReducedLogits> {
    let (sequences, vocab) = logits.dims2()?;
    let exists =
        |&[sequence, token]: &[u32; 2]| (sequence as usize) < sequences && (token as usize) < vocab;
    if !request.picks.iter().all(exists) {
        bail!("a logit beyond ({sequences}, {vocab}) was requested");
    }
    #[cfg(feature = "cuda")]
    if let Some(reduced) = cuda::reduce(logits, request)? {
        return Ok(reduced);
    }
    let values: Vec<f32> = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(ReducedLogits::of(&values, vocab, request))
}
