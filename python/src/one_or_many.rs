//! Arguments that are one value or several, and results that follow them.

use pyo3::prelude::*;
use pyo3::types::PyList;

/// One value, or a list of values.
pub(crate) struct OneOrMany<T> {
    pub(crate) values: Vec<T>,
    /// Whether the argument was one value, so that the result is one too.
    pub(crate) is_one: bool,
}

impl<T> OneOrMany<T> {
    /// Returns the results as a list, or the only one as it is.
    pub(crate) fn results<'py, R: IntoPyObject<'py>>(
        &self,
        py: Python<'py>,
        results: Vec<R>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::new(py, results)?;
        if self.is_one { list.get_item(0) } else { Ok(list.into_any()) }
    }
}

/// Reads texts: one string, or an iterable of strings.
pub(crate) fn texts(value: &Bound<'_, PyAny>) -> PyResult<OneOrMany<String>> {
    if let Ok(text) = value.extract::<String>() {
        return Ok(OneOrMany { values: vec![text], is_one: true });
    }
    let values = value.try_iter()?.map(|text| text?.extract()).collect::<PyResult<_>>()?;
    Ok(OneOrMany { values, is_one: false })
}
