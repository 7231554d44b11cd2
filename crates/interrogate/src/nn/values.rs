//! Tensors as slices, where they are on the CPU.

use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor};

/// Whether the kernels of this room can read `tensor`.
pub(crate) fn on_cpu(tensor: &Tensor) -> bool {
    matches!(tensor.device(), Device::Cpu)
}

/// Calls `f` with the values of `tensor`, in row order. Copies only what is not
/// f32 or not contiguous.
///
/// # Errors
/// Where the tensor is on another device or cannot be converted.
pub(crate) fn values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
    strided(&tensor, |values, _| f(values))
}

/// Calls `f` with the memory of `tensor`, from its first value on, and its
/// strides.
///
/// # Errors
/// Where the tensor is no f32 on the CPU.
pub(crate) fn strided<R>(tensor: &Tensor, f: impl FnOnce(&[f32], &[usize]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => {
            // A view's last value: the sum of its last indices.
            let ends = layout.dims().iter().zip(layout.stride()).map(|(&n, &s)| (n.max(1) - 1) * s);
            let len = if tensor.elem_count() == 0 { 0 } else { ends.sum::<usize>() + 1 };
            let start = layout.start_offset();
            match values.get(start..start + len) {
                Some(values) => Ok(f(values, layout.stride())),
                None => candle_core::bail!("a tensor's layout leaves its storage"),
            }
        }
        _ => candle_core::bail!("expected f32 values on the CPU, found {:?}", tensor.dtype()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_row_order_whatever_the_layout() {
        let t = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        let read = |t: &Tensor| values(t, <[f32]>::to_vec).unwrap();
        assert_eq!(read(&t), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(read(&t.t().unwrap()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(read(&t.to_dtype(DType::F16).unwrap()), read(&t));
        let view = t.narrow(1, 1, 2).unwrap();
        assert_eq!(read(&view), [1.0, 2.0, 4.0, 5.0]);
        let raw = strided(&view, |v, s| (v.to_vec(), s.to_vec())).unwrap();
        assert_eq!(raw, (vec![1.0, 2.0, 3.0, 4.0, 5.0], vec![3, 1]));
        assert_eq!(read(&t.narrow(0, 0, 0).unwrap()), [0.0; 0]);
    }

    #[test]
    fn other_types_are_refused_as_memory() {
        let t = Tensor::zeros(2, DType::F16, &Device::Cpu).unwrap();
        let error = strided(&t, |_, _| ()).unwrap_err().to_string();
        assert!(error.starts_with("expected f32 values on the CPU, found F16"), "{error}");
    }
}
