//! Retries with smaller batches when a device runs out of memory.

use std::fmt::Debug;

use candle_core::Device;

use super::IN_FLIGHT;
use crate::error::{Cause, DeviceError};
use crate::nn::backend::Batch;
use crate::{Error, Result};

/// How many times more nodes of a trie a batch has than on the CPU: enough for the device's products
/// to run at full speed, and for one launch to be a small part of their time.
const NODES_FACTOR: usize = 64;

/// Returns the results of `work` for `batches`, in order. When the device runs out of memory the
/// batch is halved and tried again; later batches are limited to the size that fit.
///
/// # Errors
/// [`DeviceError::OutOfMemory`] at `action` if a batch of one does not fit, else those of `work`.
pub(crate) fn halving<P: Batch + Clone, T>(
    action: &'static str,
    batches: impl IntoIterator<Item = P>,
    mut work: impl FnMut(P) -> Result<T>,
) -> Result<Vec<T>> {
    let (mut most, mut results) = (usize::MAX, Vec::new());
    for batch in batches {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if part.items() > most {
                let [first, rest] = part.split(most);
                parts.extend([rest, first]);
                continue;
            }
            match work(part.clone()) {
                Ok(result) => results.push(result),
                Err(error) => {
                    let source = as_out_of_memory(error)?;
                    if part.items() <= 1 {
                        let batch = 1;
                        return Err(Error::Device(DeviceError::OutOfMemory {
                            action,
                            batch,
                            source,
                        }));
                    }
                    most = part.items() / 2;
                    parts.push(part);
                }
            }
        }
    }
    Ok(results)
}

/// Returns freed memory to the device's driver: another library or process may need it. Waits for
/// the device. Errors are ignored: the next call on the device reports them.
pub(super) fn reclaim(device: &Device) {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        let _ = crate::cuda::release_freed_memory(device);
    }
    #[cfg(not(feature = "cuda"))]
    let _ = device;
}

/// The bytes that can be allocated, if the device's driver reports them.
pub(super) fn free(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        return crate::cuda::free_memory(device).ok();
    }
    #[cfg(not(feature = "cuda"))]
    let _ = device;
    None
}

/// Returns the nodes of a trie that a batch has, where the CPU has `tokens`: 64 times as many, if
/// they fit `free` bytes. A node takes `node` bytes of rows.
pub(super) fn batch_nodes(tokens: usize, node: usize, free: u64) -> usize {
    // Half of the memory is for copies of rows, gathered keys, and the workspaces of libraries.
    let each = free / 2 / IN_FLIGHT as u64 / node.max(1) as u64;
    let fit = usize::try_from(each).unwrap_or(usize::MAX);
    tokens.saturating_mul(NODES_FACTOR).min(fit.max(tokens))
}

/// Returns the device's error if it means that the device is out of memory, else `error`.
pub(super) fn as_out_of_memory(error: Error) -> Result<Cause> {
    match error {
        Error::Device(DeviceError::Tensors { source, .. }) if is_out_of_memory(&source) => {
            Ok(source)
        }
        error => Err(error),
    }
}

/// Whether the error means that the device is out of memory. Candle wraps its drivers'
/// errors in several ways; all contain the name of the code: CUDA_ERROR_OUT_OF_MEMORY,
/// CUBLAS_STATUS_ALLOC_FAILED.
pub(crate) fn is_out_of_memory(error: &(impl Debug + ?Sized)) -> bool {
    let text = format!("{error:?}").to_ascii_lowercase();
    ["out_of_memory", "out of memory", "alloc_failed"].iter().any(|words| text.contains(words))
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;

    pub(in super::super) fn out_of_memory() -> Error {
        let message = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        Error::tensors("test")(candle_core::Error::Msg(message.into()))
    }

    #[test]
    fn batch_fits_the_free_memory() {
        let row = 4 * 512 * 15;
        assert_eq!(batch_nodes(1024, row, 80 << 30), 65_536);
        assert_eq!(batch_nodes(1024, row, 2 << 30), (2 << 30) / 6 / row);
        // Never fewer than on the CPU.
        assert_eq!(batch_nodes(1024, row, 0), 1024);
        assert_eq!(batch_nodes(1, 0, u64::MAX), 64);
        assert_eq!(batch_nodes(usize::MAX, 1, u64::MAX), usize::MAX);
    }

    #[test]
    fn batches_are_halved_until_they_fit() {
        let mut tried = Vec::new();
        let parts = halving("a test", [0..8, 8..11], |part: Range<usize>| {
            tried.push(part.len());
            if part.len() > 3 { Err(out_of_memory()) } else { Ok(part) }
        });
        assert_eq!(parts.unwrap(), [0..2, 2..4, 4..6, 6..8, 8..10, 10..11]);
        assert_eq!(tried, [8, 4, 2, 2, 2, 2, 2, 1]);
    }

    #[test]
    fn batch_of_one_that_does_not_fit_is_reported() {
        let error = halving("a test", [0..4, 4..5], |_| Err::<(), _>(out_of_memory())).unwrap_err();
        let expected = "the device ran out of memory at a test, with batches down to 1";
        assert_eq!(error.to_string(), expected);
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("OUT_OF_MEMORY"));
        assert!(error.hint().unwrap().contains("nvidia-smi"));
    }

    #[test]
    fn other_failures_are_not_tried_again() {
        let mut calls = 0;
        let failed = halving("a test", [0..4, 4..5], |_| {
            calls += 1;
            Err::<(), _>(Error::tensors("test")(candle_core::Error::Msg("a wrong shape".into())))
        });
        assert!(matches!(failed, Err(Error::Device(DeviceError::Tensors { .. }))));
        assert_eq!(calls, 1);
        assert!(halving("a test", Vec::<Range<usize>>::new(), |_| Ok(())).unwrap().is_empty());
    }
}
