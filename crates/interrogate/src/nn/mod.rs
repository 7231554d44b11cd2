//! Neural network layers, and the backends that compute them.
//!
//! A model is written once, over a [`Backend`]: [`Cpu`] with the kernels below over slices, or
//! [`Gpu`] with candle's tensors. [`Loader`] loads layers from a checkpoint by name, `layers`
//! has the layers that several models share, and [`KvCache`] keeps the keys and values that
//! later tokens attend to. The models themselves, their shapes and the names of their weights,
//! are in `clip`, `sentence` and `caption`.

mod activation;
mod attention;
mod backend;
mod compute;
mod convolution;
mod cpu;
mod gpu;
mod heads;
mod kernel;
mod kv_cache;
mod kv_pages;
mod layers;
mod linear;
mod loader;
mod norm;
mod patches;
mod precision;
mod relative_bias;
mod rotary;
mod scratch;
mod simd;
pub(crate) mod threads;
mod window;

pub(crate) use activation::Activation;
pub(crate) use backend::{
    Backend, Batch, Depthwise, Epilogue, KeysAndValues, KvView, LogitsRequest, ReducedLogits,
    RowLists, Scope, Span, SumAndNorm, TokenLogit, Workspace, log_sum_exp,
};
pub use compute::Compute;
pub(crate) use convolution::{BATCH_NORM, Convolution, ConvolutionSizes, pixel_rows};
pub(crate) use cpu::Cpu;
#[cfg(test)]
pub(crate) use gpu::devices;
pub(crate) use gpu::{Along, Gpu, depthwise, halving, is_out_of_memory};
pub(crate) use heads::Heads;
pub(crate) use kernel::split::even;
pub(crate) use kv_cache::{Kv, KvCache};
pub(crate) use layers::{
    Attention, PatchEmbedding, PostNormLayer, PreNormLayers, PreNormSizes, Readout,
};
pub(crate) use linear::{Epilogue as LinearEpilogue, Linear};
pub(crate) use loader::{Biases, Loader, PreNormNames, Projections};
pub(crate) use patches::Patches;
pub use precision::Precision;
pub(crate) use relative_bias::RelativeBias;
pub(crate) use rotary::Rotary;
pub(crate) use scratch::Scratch;
pub(crate) use simd::{Isa, Kernel, Simd};
pub(crate) use window::Window;

use crate::error::RowsError;
use crate::{Error, Result};

/// Checks that two sizes agree.
///
/// # Errors
/// [`RowsError::Dim`] if `found` is not `expected`.
fn check(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::Rows(RowsError::Dim { what, expected, found }))
    }
}
