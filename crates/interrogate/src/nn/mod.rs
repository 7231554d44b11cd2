//! The layers that every model here is made of, and what computes them.
//!
//! A model is written over a [`Backend`]: [`Cpu`] with the kernels below, over slices, at the
//! machine's speed, or [`Gpu`] with the operations of the tensor engine. [`Loader`] loads
//! layers from a checkpoint by name, and the layers that several models share are in
//! `layers`. What a model is, its shapes and its weights' names, is for `clip`, `sentence` and
//! `caption`.

mod activation;
mod attention;
mod backend;
mod compute;
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
mod scratch;
mod simd;
pub(crate) mod threads;

pub(crate) use activation::Activation;
pub(crate) use backend::{
    Backend, Batch, Epilogue, KeysAndValues, KvView, RowLists, Scope, Span, Workspace,
};
pub use compute::Compute;
pub(crate) use cpu::Cpu;
#[cfg(test)]
pub(crate) use gpu::devices;
pub(crate) use gpu::{Gpu, halving, ran_out};
pub(crate) use heads::Heads;
pub(crate) use kernel::split::even;
pub(crate) use kv_cache::{Kv, KvCache};
pub(crate) use layers::{PatchEmbedding, PostNormLayer, PreNormLayers, PreNormSizes, Readout};
pub(crate) use loader::{Biases, Loader, PreNormNames, Projections};
pub(crate) use patches::Patches;
pub use precision::Precision;
pub(crate) use relative_bias::RelativeBias;

use crate::{Error, Result};

/// # Errors
/// [`Error::Dim`] where `found` is not `expected`.
fn check(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Dim { what, expected, found }) }
}
