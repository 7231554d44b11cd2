//! Kernels of this library for NVIDIA GPUs: compiled at run time by NVRTC, loaded once per
//! device.
//!
//! A kernel file is compiled after `prelude.cu`. The same files are compiled for the host by
//! the emulation in tests/gpu.

mod device;
mod source;
mod staging;
mod warm_up;

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute as FunctionAttribute;
use candle_core::cuda_backend::{CudaDevice, WrapErr};

pub(crate) use device::{free_memory, open, release_freed_memory};
pub(crate) use source::Source;
pub(crate) use staging::Staging;
pub(crate) use warm_up::warm_up;

/// Returns the kernel `name` of `source`, compiled for `device`, which may use `shared` bytes of
/// dynamic shared memory per block.
pub(crate) fn function(
    device: &CudaDevice,
    source: &Source,
    name: &str,
    shared: usize,
) -> Result<CudaFunction> {
    let stream = device.cuda_stream();
    let ptx = source.ptx(stream.context())?;
    let function = device.get_or_load_custom_func(name, &source.module(), &ptx)?;
    let function = function.into_cuda_function();
    let dynamic = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    function.set_attribute(dynamic, shared as i32).w()?;
    Ok(function)
}
