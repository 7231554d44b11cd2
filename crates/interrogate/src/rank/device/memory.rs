//! A device that runs out of memory.

use std::ops::Range;

use crate::error::bare;
use crate::{Error, Result};

/// Calls `f` for the parts of `0..len` in order, each of `batch` at most. Where the
/// device is out of memory the batch is halved, for the parts that follow as well,
/// and the part is tried again.
///
/// # Errors
/// [`Error::DeviceMemory`] where a batch of one does not fit, else [`Error::Engine`].
pub(crate) fn halving<T>(
    action: &'static str,
    len: usize,
    batch: usize,
    mut f: impl FnMut(Range<usize>) -> candle_core::Result<T>,
) -> Result<Vec<T>> {
    let (mut done, mut batch, mut results) = (0, batch.clamp(1, len.max(1)), Vec::new());
    while done < len {
        let part = done..len.min(done + batch);
        match f(part.clone()) {
            Ok(result) => {
                results.push(result);
                done = part.end;
            }
            Err(source) if ran_out(&source) => {
                if part.len() == 1 {
                    return Err(Error::DeviceMemory { action, batch: 1, source: bare(source) });
                }
                batch = part.len() / 2;
            }
            Err(source) => return Err(Error::engine("compute on the device")(source)),
        }
    }
    Ok(results)
}

/// Whether this is what a device says that has no memory left. The engine's errors
/// are its drivers' by several ways, and the names of the codes are what is common:
/// CUDA_ERROR_OUT_OF_MEMORY, CUBLAS_STATUS_ALLOC_FAILED.
pub(super) fn ran_out(error: &candle_core::Error) -> bool {
    let said = format!("{error:?}").to_ascii_lowercase();
    ["out_of_memory", "out of memory", "alloc_failed"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out() -> candle_core::Error {
        candle_core::Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into())
    }

    #[test]
    fn a_batch_is_halved_until_it_fits() {
        let mut tried = Vec::new();
        let parts = halving("a test", 11, 8, |part| {
            tried.push(part.len());
            if part.len() > 3 { Err(out()) } else { Ok(part) }
        });
        assert_eq!(parts.unwrap(), [0..2, 2..4, 4..6, 6..8, 8..10, 10..11]);
        assert_eq!(tried, [8, 4, 2, 2, 2, 2, 2, 1]);
    }

    #[test]
    fn what_fits_by_no_means_is_named() {
        let error = halving("a test", 5, 4, |_| Err::<(), _>(out())).unwrap_err();
        let expected = "the device ran out of memory at a test, with batches down to 1";
        assert_eq!(error.to_string(), expected);
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("OUT_OF_MEMORY"));
        assert!(error.hint().unwrap().contains("nvidia-smi"));
    }

    #[test]
    fn another_failure_is_not_tried_again() {
        let mut calls = 0;
        let failed = halving("a test", 5, 4, |_| {
            calls += 1;
            Err::<(), _>(candle_core::Error::Msg("a wrong shape".into()))
        });
        assert!(matches!(failed, Err(Error::Engine { .. })));
        assert_eq!(calls, 1);
        assert!(halving("a test", 0, 4, |_| Ok(())).unwrap().is_empty());
    }
}
