//! Detects a fork. The thread pool does not survive one: a child that uses it waits forever.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// The process that first did any work; 0 before that.
static FIRST: AtomicU32 = AtomicU32::new(0);

/// Returns an error in a process that was forked after the first work.
pub(crate) fn check() -> Result<()> {
    let own = std::process::id();
    match FIRST.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
        Err(first) if first != own => Err(Error::Forked),
        _ => Ok(()),
    }
}
