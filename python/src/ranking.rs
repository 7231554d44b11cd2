//! Rankings as arrays.

use interrogate::index::Match;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::error::Result;

/// The rankings of some images: scores (images, k), rows (images, k), and labels.
pub(crate) struct Ranking {
    scores: Vec<f32>,
    rows: Vec<i64>,
    labels: Vec<Vec<String>>,
}

impl Ranking {
    /// Collects `ranked`. `first_row` is the number before the rows of each table.
    pub(crate) fn new(ranked: &[Vec<Match<'_>>], first_row: impl Fn(&str) -> usize) -> Self {
        let matches = || ranked.iter().flatten();
        Ranking {
            scores: matches().map(|found| found.score).collect(),
            rows: matches().map(|found| (first_row(found.table) + found.row) as i64).collect(),
            labels: ranked
                .iter()
                .map(|matches| matches.iter().map(|found| found.label.to_owned()).collect())
                .collect(),
        }
    }

    /// Returns a `Ranking` of Python; of one image without the first dimension.
    pub(crate) fn into_python(self, py: Python<'_>, is_one: bool) -> Result<Bound<'_, PyAny>> {
        let images = self.labels.len();
        let k = self.labels.first().map_or(0, Vec::len);
        let scores = PyArray1::from_vec(py, self.scores);
        let rows = PyArray1::from_vec(py, self.rows);
        let labels = PyList::new(py, self.labels)?;
        let arguments = if is_one {
            (scores.into_any(), rows.into_any(), labels.get_item(0)?)
        } else {
            let scores = scores.reshape([images, k])?.into_any();
            (scores, rows.reshape([images, k])?.into_any(), labels.into_any())
        };
        Ok(py.import("interrogate_clip._results")?.getattr("Ranking")?.call1(arguments)?)
    }
}
