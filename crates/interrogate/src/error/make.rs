//! Constructors of frequent errors, most of them for `map_err`.

use std::io;
use std::path::Path;

use super::{Cause, DeviceError, Error, IndexError};

impl Error {
    /// Makes an [`Error::Io`] of `action` (a verb) on `path`, for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Makes a [`DeviceError::Tensors`] of `action` (a verb), for `map_err`.
    pub(crate) fn tensors(action: &'static str) -> impl FnOnce(candle_core::Error) -> Error {
        move |source| DeviceError::Tensors { action, source: bare(source) }.into()
    }

    /// Makes an [`Error::Mismatch`]: `what` of `path` is `found`, not `expected`.
    pub fn mismatch(
        path: impl AsRef<Path>,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        let path = path.as_ref().to_owned();
        Error::Mismatch { path, what, expected: expected.to_string(), found: found.to_string() }
    }

    /// Makes an [`IndexError::Damaged`]: `what` of the index's file `path` is `found`, not
    /// `expected`.
    pub fn damaged(
        path: impl AsRef<Path>,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        let path = path.as_ref().to_owned();
        let (expected, found) = (expected.to_string(), found.to_string());
        IndexError::Damaged { path, what, expected, found }.into()
    }
}

/// Removes the backtrace that candle adds to its error under RUST_BACKTRACE, so that the
/// cause is one line.
pub(crate) fn bare(error: candle_core::Error) -> Cause {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => bare(*inner),
        other => Box::new(other),
    }
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;
    use std::error::Error as _;

    use super::*;

    #[test]
    fn candles_cause_is_one_line() {
        let inner = Box::new(candle_core::Error::Msg("no memory".to_owned()));
        let backtrace = Box::new(Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner, backtrace };
        assert!(error.to_string().contains('\n'));
        let error = Error::tensors("copy rows")(error);
        assert_eq!(error.source().unwrap().to_string(), "no memory");
    }
}
