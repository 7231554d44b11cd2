//! The number of threads.

use std::error::Error;

use pyo3::prelude::*;
use rayon::ThreadPoolBuilder;

use crate::error::{Result, argument};
use crate::fork;

/// Bounds the number of threads, so that a wrong value does not exhaust the system.
const MAX_THREADS: usize = 1024;

/// Starts the thread pool with `count` threads.
///
/// # Errors
/// If the pool has started with another number, or the system refuses to start `count` threads.
#[pyfunction]
#[pyo3(signature = (count, /))]
pub(crate) fn set_num_threads(py: Python<'_>, count: usize) -> Result<()> {
    if !(1..=MAX_THREADS).contains(&count) {
        let message = format!("threads: expected 1 to {MAX_THREADS}, found {count}");
        return Err(argument(message, "pass the number of cores to use"));
    }
    fork::check()?;
    let built = py.detach(|| ThreadPoolBuilder::new().num_threads(count).build_global());
    let Err(error) = built else { return Ok(()) };
    // Without a cause, the error says that the pool exists.
    if let Some(cause) = error.source() {
        let message = format!("threads: cannot start {count}: {cause}");
        return Err(argument(message, "pass a smaller number"));
    }
    let current = rayon::current_num_threads();
    if current == count {
        return Ok(());
    }
    Err(argument(
        format!("threads: cannot change from {current} to {count} after the first work"),
        "call set_num_threads first, or set RAYON_NUM_THREADS",
    ))
}
