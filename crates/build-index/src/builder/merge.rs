//! Makes an index of the parts of a build.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use interrogate::Error as LibraryError;
use interrogate::mmap::Mmap;

use super::locations::Locations;
use super::rows::Rows;
use super::tables::Tables;
use super::{Progress, check, lock, previous, remove_previous};
use crate::error::PartError;
use crate::journal::{JOURNAL, Scan};
use crate::part::{Part, check_dictionaries};
use crate::report::Report;
use crate::vocabulary::Vocabulary;
use crate::{Dictionary, Error, Result};

/// Writes the index of `dictionaries` in `folder` from all `parts` of its build, as
/// [`open_parts`](crate::open_parts) returns them. Its files are those of one
/// [`build`](super::Builder::build), byte for byte. No model is needed.
///
/// Every row is read, and checked by the checksum of its block and for unit length; every
/// label of the dictionaries must have one row. Readers see a previous index in `folder`
/// whole until the new manifest replaces it; its rows are not used. The parts stay.
///
/// `progress` is called after each block. If it breaks, nothing is kept.
///
/// Memory: about 20 bytes a label, beside the dictionaries. The rows are mapped.
///
/// # Errors
/// [`PartError::Dictionaries`] if these are not the dictionaries of the parts,
/// [`PartError::Damaged`], [`Error::Locked`], [`Error::Shards`], [`Error::Stopped`], and
/// [`Error::Library`] for the disk.
pub fn merge(
    parts: &[Part],
    dictionaries: &[Dictionary],
    folder: &Path,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report> {
    let start = Instant::now();
    let Some(first) = parts.first() else {
        return Err(PartError::Missing { path: folder.to_owned() }.into());
    };
    check_dictionaries(first, dictionaries)?;
    let (shard_rows, dim) = (first.manifest.shard_rows, first.manifest.dim);
    check(dictionaries, shard_rows)?;
    let lock = lock(folder)?;
    let vocabulary = Vocabulary::new(dictionaries)?;
    let mut locations = Locations::new(&vocabulary);
    let (mut done, total) = (0, vocabulary.distinct());
    let (mut journals, mut offset) = (Vec::new(), 0);
    for part in parts {
        let mut blocks = |rows: usize| {
            let rows = done + rows;
            match progress(Progress::Checking { rows, total }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Stopped { done: rows, total }),
            }
        };
        let journal = read(part, offset, &mut locations, &mut blocks)?;
        done += part.manifest.plan.labels;
        offset += journal.as_ref().len() as u64;
        journals.push(journal);
    }
    if done != total {
        return Err(damaged(&first.folder().join(JOURNAL), "labels of all parts", total, done));
    }

    let rows = Rows::new(&locations, None, &journals, &[], dim);
    let tables = Tables { folder, dim, shard_rows };
    let model = first.manifest.model.clone();
    let (manifest, bytes) = tables.write_index(model, dictionaries, &rows, &mut progress)?;
    remove_previous(&lock, &manifest)?;
    Ok(Report { merged: total, ..Report::new(folder, &manifest, bytes, &lock, start) })
}

/// Maps and reads the journal of `part`, and adds its rows to `locations`, from `offset` on.
/// Calls `progress` with the rows after each block.
fn read(
    part: &Part,
    offset: u64,
    locations: &mut Locations<'_>,
    progress: &mut impl FnMut(usize) -> Result<()>,
) -> Result<Mmap> {
    let manifest = &part.manifest;
    let path = part.folder().join(JOURNAL);
    let journal = Mmap::open(&path)?;
    let bytes: &[u8] = journal.as_ref();
    let size = bytes.len() as u64;
    let expected = manifest.journal.unwrap_or_default();
    if size != expected {
        return Err(damaged(&path, "bytes", expected, size));
    }
    let io = LibraryError::io;
    let tag = previous::journal_tag(&manifest.model);
    let scan = Scan::new(bytes, size, &tag, manifest.dim).map_err(io("read", &path))?;
    let mut scan =
        scan.ok_or_else(|| damaged(&path, "first record", "that of the part's model", "another"))?;
    let (rows, mut wrong) = (Cell::new(0), None);
    let mut found = |label: &str, at| {
        rows.set(rows.get() + 1);
        if let Err(why) = locations.add_part(label, offset + at)
            && wrong.is_none()
        {
            wrong = Some(format!("{label:?}, {why}"));
        }
    };
    while scan.next(&mut found).map_err(io("read", &path))? {
        progress(rows.get())?;
    }
    if scan.refused() > 0 {
        let found = format!("others in {} blocks", scan.refused());
        return Err(damaged(&path, "rows", "unit length", found));
    }
    if scan.end() != size {
        let found = format!("a damaged block after {} bytes", scan.end());
        return Err(damaged(&path, "content", format!("blocks in {size} bytes"), found));
    }
    if let Some(found) = wrong {
        return Err(damaged(&path, "labels", "each label of the dictionaries once", found));
    }
    if rows.get() != manifest.plan.labels {
        return Err(damaged(&path, "labels", manifest.plan.labels, rows.get()));
    }
    Ok(journal)
}

fn damaged(
    path: &Path,
    what: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> Error {
    let (expected, found) = (expected.to_string(), found.to_string());
    PartError::Damaged { path: path.to_owned(), what, expected, found }.into()
}
