//! `Table`: the labels and rows of one table, of an index or of the user's own labels.

use std::sync::Arc;

use half::f16;
use interrogate::index::{CustomTable, Index, Merged, TableRef};
use interrogate::rank::Order;
use numpy::PyArray2;
use numpy::ndarray::ArrayView2;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::error::{Result, argument};
use crate::features;
use crate::model::Model;
use crate::progress::Progress;
use crate::ranking::Ranking;
use crate::work::{detached, interruptible};

#[pyclass(frozen, module = "interrogate_clip")]
pub(crate) struct Table(Source);

/// Where the labels and rows are.
enum Source {
    Index { index: Arc<Index>, number: usize },
    Own(Box<CustomTable>),
}

impl Table {
    /// Returns the table `name` of `index`.
    pub(crate) fn open(index: &Arc<Index>, name: &str) -> Result<Self> {
        index.table(name)?;
        let number = index.tables().iter().position(|table| table.name() == name);
        let (index, number) = (Arc::clone(index), number.unwrap_or_default());
        Ok(Table(Source::Index { index, number }))
    }

    fn table(&self) -> TableRef<'_> {
        match &self.0 {
            Source::Index { index, number } => TableRef::Indexed(&index.tables()[*number]),
            Source::Own(table) => TableRef::Custom(table),
        }
    }
}

#[pymethods]
impl Table {
    #[staticmethod]
    #[pyo3(signature = (name, labels, model, *, progress=None))]
    fn encode(
        py: Python<'_>,
        name: &str,
        labels: Vec<String>,
        model: &Model,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self> {
        let progress = Progress::new(progress, "labels")?;
        let total = labels.len();
        let table = interruptible(py, |interrupt| -> Result<_> {
            let encoder = model.text_encoder()?;
            let table = CustomTable::encode(name, None, labels, &*encoder, |done| {
                let _ = interrupt.run(|py| progress.report(py, done, total));
            })?;
            Ok(table.on(model.model.compute().device)?)
        })?;
        Ok(Table(Source::Own(Box::new(table))))
    }

    #[getter]
    fn name(&self) -> &str {
        self.table().name()
    }

    #[getter]
    fn dim(&self) -> usize {
        match self.table() {
            TableRef::Indexed(table) => table.dim(),
            TableRef::Custom(table) => table.dim(),
        }
    }

    fn __len__(&self) -> usize {
        self.table().len()
    }

    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>> {
        let labels = detached(py, || self.table().labels())?;
        Ok(PyList::new(py, labels)?)
    }

    fn label(&self, py: Python<'_>, row: usize) -> Result<Py<PyString>> {
        let rows = self.table().len();
        if row >= rows {
            return Err(argument(
                format!("row {row}: the table {} has {rows} rows", self.name()),
                "rows are counted from 0",
            ));
        }
        let label = detached(py, || match self.table() {
            TableRef::Indexed(table) => table.label(row),
            TableRef::Custom(table) => Ok(table.labels()[row].as_str()),
        })?;
        Ok(PyString::new(py, label).unbind())
    }

    #[getter]
    fn shards<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyList>> {
        let rows = Merged::new(vec![slf.get().table()])?.rows();
        let arrays = rows.into_iter().map(|rows| view(slf, rows));
        Ok(PyList::new(slf.py(), arrays.collect::<Result<Vec<_>>>()?)?)
    }

    #[getter]
    fn rows<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyAny>> {
        let shards = Self::shards(slf)?;
        match shards.len() {
            1 => Ok(shards.get_item(0)?),
            _ => Ok(slf.py().import("numpy")?.call_method1("concatenate", (shards,))?),
        }
    }

    #[pyo3(signature = (features, k=10, *, reverse=false, quota=None))]
    fn rank<'py>(
        &self,
        py: Python<'py>,
        features: &Bound<'py, PyAny>,
        k: usize,
        reverse: bool,
        quota: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        rank(py, vec![self.table()], features, k, reverse, quota)
    }

    fn __repr__(&self) -> String {
        format!("Table({:?}, {} labels)", self.name(), self.table().len())
    }
}

/// Ranks `tables` as one, by quota of `quota` rows a chunk if it is given.
pub(crate) fn rank<'py>(
    py: Python<'py>,
    tables: Vec<TableRef<'_>>,
    features: &Bound<'py, PyAny>,
    k: usize,
    reverse: bool,
    quota: Option<usize>,
) -> Result<Bound<'py, PyAny>> {
    let features = features::features(features)?;
    let order = if reverse { Order::Worst } else { Order::Best };
    let ranking = detached(py, || -> interrogate::Result<_> {
        let merged = Merged::new(tables)?;
        let ranked = match quota {
            None => merged.rank_many(&features.values, k, order)?,
            Some(chunk) => merged.rank_by_quota(&features.values, k, order, chunk)?,
        };
        let first_row = |name: &str| {
            let before = merged.tables().iter().take_while(|table| table.name() != name);
            before.map(|table| table.len()).sum()
        };
        Ok(Ranking::new(&ranked, first_row))
    })?;
    ranking.into_python(py, features.is_one)
}

/// Returns a read-only array (rows, dim) over the mapped `rows` of `table`, without a copy.
fn view<'py>(table: &Bound<'py, Table>, rows: &[f16]) -> Result<Bound<'py, PyArray2<f16>>> {
    let dim = table.get().dim();
    let shape = (rows.len() / dim.max(1), dim);
    let rows = ArrayView2::from_shape(shape, rows)
        .map_err(|error| argument(error.to_string(), "this is an error of interrogate_clip"))?;
    // SAFETY: the array keeps `table` alive, which owns the memory or the map of `rows`
    // and keeps it at one address. No writable array over them is handed out.
    let array = unsafe { PyArray2::borrow_from_array(&rows, table.clone().into_any()) };
    array.getattr("flags")?.setattr("writeable", false)?;
    Ok(array)
}
