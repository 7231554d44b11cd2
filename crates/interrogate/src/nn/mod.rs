//! The layers that every model here is made of, at the machine's speed.
//!
//! Owns the dense products and what goes with them: [`Linear`], [`Activation`],
//! [`LayerNorm`] and [`RmsNorm`], attention between them, and how all of it is
//! run ([`Compute`]). What a model is, its shapes and its weights' names, is for
//! `clip`, `sentence` and `caption`. On the CPU the kernels below run over slices
//! or the slices of [`candle_core::Tensor`]s; for another device `engine` has the
//! layers in the tensor engine's operations.

mod activation;
pub(crate) mod attention;
mod compute;
pub(crate) mod engine;
mod kernel;
mod linear;
mod norm;
mod precision;
mod scratch;
mod simd;
pub(crate) mod threads;
mod values;

pub use activation::Activation;
pub use compute::Compute;
pub(crate) use kernel::split::even;
pub use linear::{Bytes, Epilogue, Linear};
pub use norm::{LayerNorm, RmsNorm};
pub use precision::Precision;
