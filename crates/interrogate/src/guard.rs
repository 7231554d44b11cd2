//! Turns panics of other libraries into errors.
//!
//! Decoders and tokenizers may panic on unexpected bytes. Known cases are checked before they
//! are called; this is for the rest. In a program built with `panic = "abort"` it has no effect.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; if it panics, returns `failed()` as the error.
///
/// # Errors
/// Those of `work`, or `failed()`.
pub fn guarded<T, E>(
    failed: impl FnOnce() -> E,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // Callers discard the state that `work` may have left half changed, or `work` only read it.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(failed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_an_error() {
        let failed = || "failed";
        assert_eq!(
            guarded(failed, || -> Result<(), &str> { panic!("as a library does") }),
            Err("failed")
        );
        assert_eq!(guarded(failed, || -> Result<(), &str> { Err("refused") }), Err("refused"));
        assert_eq!(guarded(failed, || Ok(7)), Ok(7));
    }
}
