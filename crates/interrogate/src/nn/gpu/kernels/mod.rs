//! Operations on rows between the products: norms, epilogues and lookups.
//!
//! On CUDA each is one kernel (layers.cu), on other devices a sequence of candle's operations.
//! Both compute in f32 and round once, to the type of their output: sums are f32, all other rows
//! have the type of the weights.

#[cfg(feature = "cuda")]
mod cuda;
mod epilogue;
mod lookup;
mod norm;

#[cfg(feature = "cuda")]
use std::sync::{Arc, OnceLock};

use candle_core::DType;

pub(super) use epilogue::activate;
pub(super) use lookup::Lookup;
pub(super) use norm::Branch;

/// The type of residual sums.
pub(super) const SUMS: DType = DType::F32;

/// The operations for weights and rows of one type, on one device.
#[derive(Clone, Debug)]
pub(super) struct Kernels {
    /// The type of weights and rows.
    dtype: DType,
    /// Loaded when they are first called.
    #[cfg(feature = "cuda")]
    functions: Arc<OnceLock<cuda::Functions>>,
}

impl Kernels {
    pub(super) fn new(dtype: DType) -> Self {
        Kernels {
            dtype,
            #[cfg(feature = "cuda")]
            functions: Arc::default(),
        }
    }

    /// Returns the kernel files for layers of rows of `width`.
    #[cfg(feature = "cuda")]
    pub(super) fn sources(&self, width: usize) -> Vec<crate::cuda::Source> {
        cuda::sources(self.dtype, width)
    }
}
