//! Copies through page-locked memory.

use candle_core::cuda_backend::CudaDevice;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor,
};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use super::Source;
use crate::cuda::Staging;

/// Values that a thread converts in one task.
const PART: usize = 1 << 16;

/// Copies `source` to the device, as [`upload`](super::upload) does.
pub(super) fn upload(
    source: Source<'_>,
    shape: Shape,
    dtype: DType,
    device: &CudaDevice,
) -> Result<Tensor> {
    check(&shape, source.len())?;
    tensor(device, shape, |staging| {
        let (len, device) = (source.len(), device.clone());
        Ok(match dtype {
            DType::F32 => {
                let copied = staging.upload::<f32>(len, |from, out| source.write(from, out))?;
                CudaStorage::wrap_cuda_slice(copied, device)
            }
            DType::F16 => {
                let copied = staging.upload::<f16>(len, |from, out| source.write(from, out))?;
                CudaStorage::wrap_cuda_slice(copied, device)
            }
            DType::BF16 => {
                let copied = staging.upload::<bf16>(len, |from, out| source.write(from, out))?;
                CudaStorage::wrap_cuda_slice(copied, device)
            }
            dtype => candle_core::bail!("cannot copy values as {dtype:?}"),
        })
    })
}

/// Copies numbers to the device, as [`upload_ids`](super::upload_ids) does.
pub(super) fn upload_ids(ids: &[u32], shape: Shape, device: &CudaDevice) -> Result<Tensor> {
    check(&shape, ids.len())?;
    tensor(device, shape, |staging| {
        let fill = |from: usize, out: &mut [u32]| out.copy_from_slice(&ids[from..][..out.len()]);
        Ok(CudaStorage::wrap_cuda_slice(staging.upload(ids.len(), fill)?, device.clone()))
    })
}

/// Copies a tensor of one dimension to the host.
pub(super) fn download(flat: &Tensor) -> Result<Vec<f32>> {
    let flat = flat.contiguous()?;
    let (storage, layout) = flat.storage_and_layout();
    let (Storage::Cuda(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
    else {
        candle_core::bail!("the values are not contiguous on the device")
    };
    let staging = Staging::of(&storage.device)?;
    match flat.dtype() {
        DType::F32 => staging.download(&storage.as_cuda_slice::<f32>()?.slice(start..end)),
        DType::F16 => {
            let values = staging.download(&storage.as_cuda_slice::<f16>()?.slice(start..end))?;
            Ok(widened(&values, |from, to| from.convert_to_f32_slice(to)))
        }
        DType::BF16 => {
            let values = staging.download(&storage.as_cuda_slice::<bf16>()?.slice(start..end))?;
            Ok(widened(&values, |from, to| from.convert_to_f32_slice(to)))
        }
        dtype => candle_core::bail!("cannot copy values of {dtype:?}"),
    }
}

fn widened<T: Sync>(values: &[T], widen: impl Fn(&[T], &mut [f32]) + Sync) -> Vec<f32> {
    let mut wide = vec![0.0; values.len()];
    wide.par_chunks_mut(PART).zip(values.par_chunks(PART)).for_each(|(to, from)| widen(from, to));
    wide
}

fn check(shape: &Shape, len: usize) -> Result<()> {
    if shape.elem_count() == len {
        return Ok(());
    }
    candle_core::bail!("{len} values do not have the shape {shape:?}")
}

/// Returns a tensor with the storage that `copy` returns.
fn tensor(
    device: &CudaDevice,
    shape: Shape,
    copy: impl Fn(&Staging) -> Result<CudaStorage>,
) -> Result<Tensor> {
    // candle makes tensors of storage in custom operations only.
    let seed = Tensor::zeros(1, DType::U8, &Device::Cuda(device.clone()))?;
    seed.apply_op1_no_bwd(&Upload { shape, copy })
}

/// An operation that ignores its operand.
struct Upload<F> {
    shape: Shape,
    copy: F,
}

impl<F: Fn(&Staging) -> Result<CudaStorage>> CustomOp1 for Upload<F> {
    fn name(&self) -> &'static str {
        "upload"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("a copy to a device has no operation on the CPU")
    }

    fn cuda_fwd(&self, seed: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        let staging = Staging::of(&seed.device)?;
        Ok(((self.copy)(&staging)?, self.shape.clone()))
    }
}
