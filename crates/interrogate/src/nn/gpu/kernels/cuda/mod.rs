//! The kernels of layers.cu on CUDA.

mod epilogue;
mod functions;
mod launch;
mod lookup;
mod norm;
mod operand;

pub(super) use functions::{Functions, sources};
