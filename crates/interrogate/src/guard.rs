//! Other libraries' code, run on what was read and held to errors.
//!
//! Decoders and tokenizers may panic on bytes that nobody thought of. What is known of
//! them is looked at before; this is for the rest. A program built with `panic =
//! "abort"` has none of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; where it panics, what `failed` makes is the error.
///
/// # Errors
/// Those of `work`, and that one.
pub(crate) fn guarded<T, E>(
    failed: impl FnOnce() -> E,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What it was at is thrown away by callers, or was only read.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(failed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let failed = || "failed";
        assert_eq!(
            guarded(failed, || -> Result<(), &str> { panic!("as a library does") }),
            Err("failed")
        );
        assert_eq!(guarded(failed, || -> Result<(), &str> { Err("refused") }), Err("refused"));
        assert_eq!(guarded(failed, || Ok(7)), Ok(7));
    }
}
