//! Retries with smaller batches when a device runs out of memory.

use std::fmt::Debug;

use crate::error::DeviceError;
use crate::nn::backend::Batch;
use crate::{Error, Result};

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
                Err(Error::Device(DeviceError::Tensors { source, .. }))
                    if is_out_of_memory(&source) =>
                {
                    if part.items() <= 1 {
                        return Err(Error::Device(DeviceError::OutOfMemory {
                            action,
                            batch: 1,
                            source,
                        }));
                    }
                    most = part.items() / 2;
                    parts.push(part);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(results)
}

/// Whether the error means that the device is out of memory. Candle wraps its drivers'
/// errors in several ways; all contain the name of the code: CUDA_ERROR_OUT_OF_MEMORY,
/// CUBLAS_STATUS_ALLOC_FAILED.
pub(crate) fn is_out_of_memory(error: &(impl Debug + ?Sized)) -> bool {
    let text = format!("{error:?}").to_ascii_lowercase();
    ["out_of_memory", "out of memory", "alloc_failed"].iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn out() -> Error {
        let message = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        Error::tensors("test")(candle_core::Error::Msg(message.into()))
    }

    #[test]
    fn batches_are_halved_until_they_fit() {
        let mut tried = Vec::new();
        let parts = halving("a test", [0..8, 8..11], |part: Range<usize>| {
            tried.push(part.len());
            if part.len() > 3 { Err(out()) } else { Ok(part) }
        });
        assert_eq!(parts.unwrap(), [0..2, 2..4, 4..6, 6..8, 8..10, 10..11]);
        assert_eq!(tried, [8, 4, 2, 2, 2, 2, 2, 1]);
    }

    #[test]
    fn batch_of_one_that_does_not_fit_is_reported() {
        let error = halving("a test", [0..4, 4..5], |_| Err::<(), _>(out())).unwrap_err();
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
