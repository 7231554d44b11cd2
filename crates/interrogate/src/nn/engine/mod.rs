//! The layers again in the tensor engine's own operations, for its devices.
//!
//! Values stay on the device from layer to layer: nothing here brings any back. The
//! shapes are those of the slices elsewhere in [`nn`](super), rows lying flat, and the
//! values are those within rounding: the engine adds up in an order of its own, so
//! that a row's last bits may depend on what it is computed beside.
//!
//! All of it runs on the engine's own processor as well, and is tested there against
//! the kernels of this library.

mod attention;
mod dense;
mod norm;
mod taken;
#[cfg(test)]
mod tests;

pub(crate) use attention::{Chains, groups};
pub(crate) use dense::Dense;
pub(crate) use norm::Norm;
pub(crate) use taken::{COPY, dense, norm};

/// How many times more tokens go through at once than on the processor, which has
/// caches to stay in.
pub(crate) const MORE: usize = 16;
