//! Rows of earlier builds that this build may use: those of the previous index, and those
//! of a journal.

use std::path::Path;

use interrogate::encoder::TextEncoder;
use interrogate::error::{IndexError, RowsError};
use interrogate::index::{Index, ModelEntry};
use interrogate::{Error as LibraryError, Result as LibraryResult};

use super::IMPORTED;
use super::locations::Locations;
use super::probe::{self, Agreement};
use crate::Result;
use crate::journal::Journal;

/// Opens the index in `folder`, if there is one.
///
/// # Errors
/// Why its rows may not be used: it is damaged, or of another model or precision.
pub(super) fn open_index(
    encoder: &dyn TextEncoder,
    model: &ModelEntry,
    folder: &Path,
) -> LibraryResult<Option<Index>> {
    let index = match Index::open(folder) {
        Err(LibraryError::Index(IndexError::Missing { .. } | IndexError::Unfinished { .. })) => {
            return Ok(None);
        }
        other => other?,
    };
    index.check_model(&model.id, &model.fingerprint)?;
    let (expected, found) = (encoder.dim(), index.dim());
    if found != expected {
        return Err(LibraryError::Rows(RowsError::Dim {
            what: "the index before",
            expected,
            found,
        }));
    }
    let name = |model: &ModelEntry| model.precision.clone().unwrap_or_else(|| "f32".to_owned());
    let (expected, found) = (name(model), name(index.manifest().model()));
    if found != expected {
        return Err(LibraryError::mismatch(folder, "precision", expected, found));
    }
    index.verify(|_| ())?;
    let agreement = match model.precision.as_deref() {
        Some(IMPORTED) => Agreement::Median,
        _ => Agreement::All,
    };
    probe::check_index(encoder, &index, agreement)?;
    Ok(Some(index))
}

/// Opens the journal in `folder` and adds its rows to `locations`. Errors of rows that
/// cannot be used are pushed to `refused`.
pub(super) fn open_journal(
    encoder: &dyn TextEncoder,
    model: &ModelEntry,
    folder: &Path,
    locations: &mut Locations<'_>,
    refused: &mut Vec<LibraryError>,
) -> Result<Journal> {
    let found = |label: &str, at| locations.add_journaled(label, at);
    let journal = Journal::open(folder, &journal_tag(model), encoder.dim(), found)?;
    if journal.refused() > 0 {
        let found = format!("others in {} of its blocks", journal.refused());
        refused.push(LibraryError::mismatch(journal.path(), "rows", "unit length", found));
    }
    let map = journal.map()?;
    let row = |at: u64| {
        let start = usize::try_from(at).ok()?;
        map.as_ref().get(start..)?.get(..encoder.dim() * 2)
    };
    let sample = locations.journal_sample();
    let sample: Vec<_> = sample.iter().filter_map(|&(label, at)| Some((label, row(at)?))).collect();
    // Rows in a journal are this encoder's own, also in an import.
    match probe::check_rows(encoder, journal.path(), &sample, Agreement::All) {
        Err(error @ LibraryError::Mismatch { .. }) => {
            refused.push(error);
            drop(map); // some systems replace no file that is mapped
            locations.remove_journaled();
            journal.clear()
        }
        checked => Ok(checked.map(|()| journal)?),
    }
}

/// Returns the name of a model and its precision in a journal.
pub(super) fn journal_tag(model: &ModelEntry) -> String {
    let precision = model.precision.as_deref().unwrap_or_default();
    [&model.fingerprint, precision].join(" ").trim_end().to_owned()
}
