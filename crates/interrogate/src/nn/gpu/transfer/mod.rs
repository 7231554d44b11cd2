//! Copies between the host and a device.
//!
//! On CUDA, large copies go through page-locked memory on a stream of their own
//! ([`Staging`](crate::cuda::Staging)); small ones, and those of other devices, are candle's.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(test)]
mod tests;

use candle_core::{DType, Device, Result, Shape, Tensor};
use half::{bf16, f16};

use crate::weights::{Target, Values, convert_f32};

/// Bytes above which a copy goes through page-locked memory. Less fits the driver's own staging.
#[cfg(feature = "cuda")]
const LARGE: usize = 64 << 10;

/// What is copied to a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A weight, in the type of its file.
    Stored(&'a Values),
    Floats(&'a [f32]),
}

impl Source<'_> {
    fn len(self) -> usize {
        match self {
            Source::Stored(values) => values.len(),
            Source::Floats(values) => values.len(),
        }
    }

    /// Writes the values from index `from` on to `out`, on all threads.
    fn write<T: Target>(self, from: usize, out: &mut [T]) {
        match self {
            Source::Stored(values) => values.convert(from, out),
            Source::Floats(values) => convert_f32(values, from, out),
        }
    }

    fn to_vec<T: Target>(self) -> Vec<T> {
        let mut values = vec![T::default(); self.len()];
        self.write(0, &mut values);
        values
    }
}

/// Copies `source` to `device`, rounded to `dtype`: f32, f16 or bf16. It is converted on the
/// host, so that fewer bytes are copied.
pub(crate) fn upload(
    source: Source<'_>,
    shape: impl Into<Shape>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = device
        && source.len() * dtype.size_in_bytes() > LARGE
    {
        return cuda::upload(source, shape, dtype, cuda);
    }
    match dtype {
        DType::F16 => Tensor::from_vec(source.to_vec::<f16>(), shape, device),
        DType::BF16 => Tensor::from_vec(source.to_vec::<bf16>(), shape, device),
        _ => Tensor::from_vec(source.to_vec::<f32>(), shape, device)?.to_dtype(dtype),
    }
}

/// Copies numbers to `device`.
pub(crate) fn upload_ids(ids: &[u32], shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = device
        && size_of_val(ids) > LARGE
    {
        return cuda::upload_ids(ids, shape, cuda);
    }
    Tensor::from_slice(ids, shape, device)
}

/// Copies the values of a tensor of f32, f16 or bf16 to the host, in row-major order.
pub(crate) fn download(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.flatten_all()?;
    if flat.elem_count() == 0 {
        return Ok(Vec::new()); // CUDA refuses to launch a kernel for nothing
    }
    #[cfg(feature = "cuda")]
    if flat.device().is_cuda() && flat.elem_count() * flat.dtype().size_in_bytes() > LARGE {
        return cuda::download(&flat);
    }
    flat.to_dtype(DType::F32)?.to_vec1()
}
