//! Work without the GIL, which a signal such as Ctrl-C interrupts.

use std::ops::ControlFlow;

use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::fork;

/// Runs `work` without the GIL.
///
/// # Errors
/// Those of `work`, and [`Error::Forked`].
pub(crate) fn detached<T: Send, E: Into<Error> + Send>(
    py: Python<'_>,
    work: impl FnOnce() -> std::result::Result<T, E> + Send,
) -> Result<T> {
    fork::check()?;
    py.detach(work).map_err(Into::into)
}

/// Runs `work`, which calls back for progress, without the GIL. If a callback fails, its
/// exception replaces the error of the interrupted work.
pub(crate) fn interruptible<T: Send, E: Into<Error> + Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut Interrupt) -> std::result::Result<T, E> + Send,
) -> Result<T> {
    fork::check()?;
    let mut interrupt = Interrupt(None);
    let result = py.detach(|| work(&mut interrupt));
    match interrupt.0 {
        Some(exception) => Err(exception.into()),
        None => result.map_err(Into::into),
    }
}

/// The exception that ends the work, once there is one.
pub(crate) struct Interrupt(Option<PyErr>);

impl Interrupt {
    /// Runs handlers of signals, then `callback`. Breaks if one of them raises.
    pub(crate) fn run(
        &mut self,
        callback: impl FnOnce(Python<'_>) -> PyResult<()>,
    ) -> ControlFlow<()> {
        match Python::attach(|py| py.check_signals().and_then(|()| callback(py))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(exception) => {
                self.0 = Some(exception);
                ControlFlow::Break(())
            }
        }
    }
}
