//! The arguments of a launch: tensors as pointers, and tensors of what a kernel wrote.

use std::cell::RefCell;
use std::ops::Deref;

use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaView, CudaViewMut, LaunchArgs, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor,
};
use half::{bf16, f16};

/// Returns `tensor`, copied if it is not contiguous or does not begin on 16 bytes, as the kernels
/// expect.
pub(super) fn aligned(tensor: &Tensor) -> Result<Tensor> {
    let offset = tensor.layout().start_offset();
    if tensor.is_contiguous() && offset.is_multiple_of(8) {
        Ok(tensor.clone())
    } else {
        tensor.force_contiguous()
    }
}

/// A tensor that stays locked while a launch refers to it.
pub(super) struct Operand<'a, S> {
    storage: S,
    layout: &'a Layout,
}

/// Locks an [`aligned`] tensor.
pub(super) fn operand(tensor: &Tensor) -> Operand<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Operand { storage, layout }
}

/// Returns the values of a tensor, or a null pointer without one.
pub(super) fn view<'a, S: Deref<Target = Storage>>(
    operand: &'a Option<Operand<'_, S>>,
) -> Result<View<'a>> {
    match operand.as_ref().map(|operand| (&*operand.storage, operand.layout)) {
        None => Ok(View::Null),
        Some((Storage::Cuda(storage), layout)) => View::new(storage, layout),
        Some(_) => candle_core::bail!("expected a tensor on a CUDA device"),
    }
}

/// The values of a tensor on the device, or a null pointer.
pub(super) enum View<'a> {
    F32(CudaView<'a, f32>),
    F16(CudaView<'a, f16>),
    Bf16(CudaView<'a, bf16>),
    U32(CudaView<'a, u32>),
    Null,
}

impl<'a> View<'a> {
    fn new(storage: &'a CudaStorage, layout: &Layout) -> Result<Self> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("expected a contiguous tensor");
        };
        Ok(match &storage.slice {
            CudaStorageSlice::F32(slice) => View::F32(slice.slice(start..end)),
            CudaStorageSlice::F16(slice) => View::F16(slice.slice(start..end)),
            CudaStorageSlice::BF16(slice) => View::Bf16(slice.slice(start..end)),
            CudaStorageSlice::U32(slice) => View::U32(slice.slice(start..end)),
            _ => candle_core::bail!("expected a tensor of floats or of u32"),
        })
    }

    pub(super) fn push<'b>(&'b self, launch: &mut LaunchArgs<'b>)
    where
        'a: 'b,
    {
        match self {
            View::F32(view) => launch.arg(view),
            View::F16(view) => launch.arg(view),
            View::Bf16(view) => launch.arg(view),
            View::U32(view) => launch.arg(view),
            View::Null => launch.arg(&0u64),
        };
    }
}

/// The values of a tensor on the device, to be overwritten.
pub(super) enum ViewMut<'a> {
    F32(CudaViewMut<'a, f32>),
    F16(CudaViewMut<'a, f16>),
    Bf16(CudaViewMut<'a, bf16>),
}

impl<'a> ViewMut<'a> {
    pub(super) fn new(storage: &'a mut CudaStorage, layout: &Layout) -> Result<Self> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("expected a contiguous tensor");
        };
        Ok(match &mut storage.slice {
            CudaStorageSlice::F32(slice) => ViewMut::F32(slice.slice_mut(start..end)),
            CudaStorageSlice::F16(slice) => ViewMut::F16(slice.slice_mut(start..end)),
            CudaStorageSlice::BF16(slice) => ViewMut::Bf16(slice.slice_mut(start..end)),
            _ => candle_core::bail!("expected a tensor of floats"),
        })
    }

    pub(super) fn push<'b>(&'b mut self, launch: &mut LaunchArgs<'b>)
    where
        'a: 'b,
    {
        match self {
            ViewMut::F32(view) => launch.arg(view),
            ViewMut::F16(view) => launch.arg(view),
            ViewMut::Bf16(view) => launch.arg(view),
        };
    }
}

/// The uninitialized values of a new tensor.
pub(super) enum Buffer {
    F32(CudaSlice<f32>),
    F16(CudaSlice<f16>),
    Bf16(CudaSlice<bf16>),
}

impl Buffer {
    pub(super) fn new(device: &CudaDevice, dtype: DType, count: usize) -> Result<Self> {
        // SAFETY: a kernel writes all values before any is read: each launch of this folder
        // covers the whole of its outputs, and a buffer of an unlaunched kernel is empty.
        unsafe {
            Ok(match dtype {
                DType::F32 => Buffer::F32(device.alloc(count)?),
                DType::F16 => Buffer::F16(device.alloc(count)?),
                DType::BF16 => Buffer::Bf16(device.alloc(count)?),
                other => candle_core::bail!("no kernels for rows of {other:?}"),
            })
        }
    }

    pub(super) fn push<'a>(&'a mut self, launch: &mut LaunchArgs<'a>) {
        match self {
            Buffer::F32(slice) => launch.arg(slice),
            Buffer::F16(slice) => launch.arg(slice),
            Buffer::Bf16(slice) => launch.arg(slice),
        };
    }

    /// Returns the tensor of these values, on the device of `beside`.
    pub(super) fn into_tensor(self, beside: &Tensor, shape: &Shape) -> Result<Tensor> {
        beside.apply_op1_no_bwd(&Deliver(RefCell::new(Some((self, shape.clone())))))
    }
}

/// Makes a tensor of a buffer: candle has no public function for that but the result of an
/// operation. The argument is ignored.
struct Deliver(RefCell<Option<(Buffer, Shape)>>);

impl CustomOp1 for Deliver {
    fn name(&self) -> &'static str {
        "deliver"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("expected a tensor on a CUDA device")
    }

    fn cuda_fwd(&self, beside: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        let Some((buffer, shape)) = self.0.take() else {
            candle_core::bail!("a buffer is one tensor");
        };
        let device = beside.device.clone();
        let storage = match buffer {
            Buffer::F32(slice) => CudaStorage::wrap_cuda_slice(slice, device),
            Buffer::F16(slice) => CudaStorage::wrap_cuda_slice(slice, device),
            Buffer::Bf16(slice) => CudaStorage::wrap_cuda_slice(slice, device),
        };
        Ok((storage, shape))
    }
}
