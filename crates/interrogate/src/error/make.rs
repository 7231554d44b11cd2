//! Errors made where they are met, most of them for `map_err`.

use std::io;
use std::path::Path;

use super::{Error, Source};

impl Error {
    /// An I/O error of `action` (a verb) on `path`, for `map_err`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// A failure of the tensor engine at `action` (a verb), for `map_err`.
    pub(crate) fn engine(action: &'static str) -> impl FnOnce(candle_core::Error) -> Error {
        move |source| Error::Engine { action, source: bare(source) }
    }

    /// `path` holds `found` where `expected` must stand.
    pub fn mismatch(
        path: impl AsRef<Path>,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        let path = path.as_ref().to_owned();
        Error::Mismatch { path, what, expected: expected.to_string(), found: found.to_string() }
    }

    /// The index's file `path` holds `found` where the builder wrote `expected`.
    pub fn damaged(
        path: impl AsRef<Path>,
        what: &'static str,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        let path = path.as_ref().to_owned();
        Error::IndexDamaged { path, what, expected: expected.to_string(), found: found.to_string() }
    }
}

/// The engine's error without the backtrace that it takes where RUST_BACKTRACE asks for
/// those of panics: what a cause says is one line.
pub(crate) fn bare(error: candle_core::Error) -> Source {
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
    fn the_engines_cause_is_one_line() {
        let inner = Box::new(candle_core::Error::Msg("no memory".to_owned()));
        let backtrace = Box::new(Backtrace::force_capture());
        let error = candle_core::Error::WithBacktrace { inner, backtrace };
        assert!(error.to_string().contains('\n'));
        let error = Error::engine("copy rows")(error);
        assert_eq!(error.source().unwrap().to_string(), "no memory");
    }
}
