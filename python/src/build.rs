//! `build_index`: encodes dictionaries with a model.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::build_index::{Builder, Dictionary, Progress as Step};
use interrogate::index;
use pyo3::prelude::*;

use crate::error::Result;
use crate::index::Index;
use crate::model::Model;
use crate::progress::Progress;
use crate::work::interruptible;

/// Builds the index of `dictionaries` below `out`, and opens it.
#[pyfunction]
#[pyo3(signature = (dictionaries, out, model, *, progress=None))]
pub(crate) fn build_index(
    py: Python<'_>,
    dictionaries: Option<&Bound<'_, PyAny>>,
    out: PathBuf,
    model: &Model,
    progress: Option<&Bound<'_, PyAny>>,
) -> Result<Index> {
    let progress = Progress::new(progress, "labels")?;
    let paths = dictionaries.map(paths).transpose()?;
    let folder = out.join(model.model.slug());
    let index = interruptible(py, |interrupt| {
        let dictionaries: Vec<Dictionary> = match &paths {
            Some(paths) => ::build_index::open_all(paths)?,
            None => ::build_index::embedded()?,
        };
        let (id, fingerprint) = (model.model.id(), model.model.fingerprint()?);
        let encoder = model.text_encoder()?;
        let builder =
            Builder::new(encoder.as_ref(), &id, &fingerprint).precision(model.model.precision());
        builder.build(&dictionaries, &folder, |step| {
            let (done, total) = match step {
                Step::Encoding { labels, total, .. } => (labels, total),
                // The bar counts encoded labels; the other steps are short.
                _ => return interrupt.run(|_| Ok(())),
            };
            interrupt.run(|py| progress.report(py, done, total))
        })?;
        let index = index::Index::open(&folder)?.on(model.model.compute().device)?;
        Result::Ok(index)
    })?;
    Ok(Index { index: Arc::new(index) })
}

/// Reads one path or several.
fn paths(value: &Bound<'_, PyAny>) -> Result<Vec<PathBuf>> {
    if let Ok(path) = value.extract::<PathBuf>() {
        return Ok(vec![path]);
    }
    Ok(value.try_iter()?.map(|path| path?.extract()).collect::<PyResult<_>>()?)
}

/// Returns the texts of the built-in dictionaries, by file name.
#[pyfunction]
pub(crate) fn builtin_dictionaries() -> BTreeMap<&'static str, &'static str> {
    ::build_index::embedded_texts().iter().copied().collect()
}
