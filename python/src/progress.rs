//! The argument `progress`: a function `(done, total)`, or `True` for a bar of tqdm.

use pyo3::prelude::*;

use crate::error::{Result, argument};

/// Reports progress to Python.
pub(crate) struct Progress(Option<Py<PyAny>>);

impl Progress {
    /// Opens the value of `progress`: a callable, `True`, or `None` or `False` for silence.
    /// `unit` is what a bar counts.
    ///
    /// # Errors
    /// For another value, and if a bar needs tqdm and it is missing.
    pub(crate) fn new(progress: Option<&Bound<'_, PyAny>>, unit: &str) -> Result<Self> {
        let Some(value) = progress else { return Ok(Progress(None)) };
        if value.is_callable() {
            return Ok(Progress(Some(value.clone().unbind())));
        }
        match value.extract::<bool>() {
            Ok(false) => Ok(Progress(None)),
            Ok(true) => {
                let bars = value.py().import("interrogate_clip._progress")?;
                Ok(Progress(Some(bars.call_method1("bar", (unit,))?.unbind())))
            }
            Err(_) => Err(argument(
                "progress must be a function of (done, total), True or None",
                "pass progress=True for a bar of tqdm",
            )),
        }
    }

    /// Reports that `done` of `total` are done.
    pub(crate) fn report(&self, py: Python<'_>, done: usize, total: usize) -> PyResult<()> {
        match &self.0 {
            Some(callback) => callback.call1(py, (done, total)).map(drop),
            None => Ok(()),
        }
    }
}
