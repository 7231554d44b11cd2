//! `Index`: the tables of an index, and rankings.

use std::path::PathBuf;
use std::sync::Arc;

use interrogate::index::{self, TableRef};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::device;
use crate::error::Result;
use crate::one_or_many::texts;
use crate::table::{self, Table};
use crate::work::{detached, interruptible};

#[pyclass(frozen, module = "interrogate_clip")]
pub(crate) struct Index {
    pub(crate) index: Arc<index::Index>,
}

impl Index {
    pub(crate) fn new(index: index::Index) -> Self {
        Index { index: index.into() }
    }
}

#[pymethods]
impl Index {
    #[staticmethod]
    #[pyo3(signature = (folder, *, device="auto"))]
    fn open(py: Python<'_>, folder: PathBuf, device: &str) -> Result<Self> {
        let index =
            detached(py, || Result::Ok(index::Index::open(&folder)?.on(device::device(device)?)?))?;
        Ok(Index::new(index))
    }

    #[getter]
    fn folder(&self) -> PathBuf {
        self.index.path().to_owned()
    }

    #[getter]
    fn dim(&self) -> usize {
        self.index.dim()
    }

    #[getter]
    fn model_name(&self) -> &str {
        &self.index.manifest().model().id
    }

    #[getter]
    fn tables(&self) -> Vec<&str> {
        self.index.tables().iter().map(index::Table::name).collect()
    }

    fn __len__(&self) -> usize {
        self.index.tables().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyList::new(py, self.tables())?.try_iter()?.into_any())
    }

    fn __contains__(&self, name: &str) -> bool {
        self.tables().contains(&name)
    }

    fn __getitem__(&self, name: &str) -> Result<Table> {
        Table::open(&self.index, name)
    }

    #[pyo3(signature = (features, table, k=10, *, reverse=false))]
    fn rank<'py>(
        &self,
        py: Python<'py>,
        features: &Bound<'py, PyAny>,
        table: &Bound<'py, PyAny>,
        k: usize,
        reverse: bool,
    ) -> Result<Bound<'py, PyAny>> {
        let names = texts(table)?.values;
        let tables = names.iter().map(|name| Ok(TableRef::Indexed(self.index.table(name)?)));
        table::rank(py, tables.collect::<Result<_>>()?, features, k, reverse, None)
    }

    fn verify(&self, py: Python<'_>) -> Result<()> {
        interruptible(py, |_| self.index.verify(|_| ()))
    }

    fn __repr__(&self) -> String {
        let folder = self.index.path().display().to_string();
        format!("Index({folder:?}, model={:?}, tables={:?})", self.model_name(), self.tables())
    }
}
