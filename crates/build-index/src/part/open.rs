//! Finished parts, found and checked against each other.

use std::fs;
use std::path::{Path, PathBuf};

use interrogate::Error as LibraryError;

use super::manifest::{MANIFEST, difference_of_tables};
use super::{PartManifest, PartNumber, PartTable};
use crate::error::PartError;
use crate::{Dictionary, Error, Result};

/// A finished part of a build.
#[derive(Clone, Debug)]
pub struct Part {
    folder: PathBuf,
    number: PartNumber,
    pub(crate) manifest: PartManifest,
}

impl Part {
    /// Opens the part in `folder`. Reads no row.
    ///
    /// # Errors
    /// [`PartError::Missing`] if there is no part.json, [`PartError::Unfinished`],
    /// [`PartError::Damaged`], and [`LibraryError`].
    pub fn open(folder: &Path) -> Result<Self> {
        let missing = || PartError::Missing { path: folder.to_owned() };
        let manifest = PartManifest::open(folder)?.ok_or_else(missing)?;
        let number = manifest.number()?;
        if manifest.journal.is_none() {
            let (path, part) = (folder.to_owned(), number.to_string());
            return Err(PartError::Unfinished { path, part }.into());
        }
        Ok(Part { folder: folder.to_owned(), number, manifest })
    }

    /// Returns the part's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns which part it is.
    pub fn number(&self) -> PartNumber {
        self.number
    }

    /// Returns the name of the index's folder.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }
}

/// Opens the parts at `paths`: folders of parts, and folders that hold them. Returns all
/// parts of one build, in order.
///
/// # Errors
/// Those of [`Part::open`]; [`PartError::Twice`], [`PartError::Differs`] for parts of two
/// builds, and [`PartError::Absent`], which names the missing parts.
pub fn open_parts(paths: &[PathBuf]) -> Result<Vec<Part>> {
    let mut folders = Vec::new();
    for path in paths {
        folders.append(&mut part_folders(path)?);
    }
    let mut parts = folders.iter().map(|folder| Part::open(folder)).collect::<Result<Vec<_>>>()?;
    parts.sort_by_key(|part| part.number.number());
    check_set(&parts)?;
    Ok(parts)
}

/// Returns `path` if it is a part's folder, else the parts' folders in it, sorted.
fn part_folders(path: &Path) -> Result<Vec<PathBuf>> {
    if path.join(MANIFEST).exists() {
        return Ok(vec![path.to_owned()]);
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).map_err(LibraryError::io("read", path))? {
        let folder = entry.map_err(LibraryError::io("read", path))?.path();
        if folder.join(MANIFEST).exists() {
            folders.push(folder);
        }
    }
    folders.sort();
    if folders.is_empty() {
        return Err(PartError::Missing { path: path.to_owned() }.into());
    }
    Ok(folders)
}

/// Refuses parts, sorted by number, that are not all parts of one build, each once.
fn check_set(parts: &[Part]) -> Result<()> {
    let Some(first) = parts.first() else {
        return Err(PartError::Missing { path: PathBuf::new() }.into());
    };
    for part in parts {
        if let Some((what, expected, found)) = first.manifest.difference(&part.manifest) {
            let (path, other) = (part.folder.clone(), first.folder.clone());
            return Err(PartError::Differs { path, other, what, expected, found }.into());
        }
    }
    for pair in parts.windows(2) {
        if pair[0].number == pair[1].number {
            let part = pair[0].number.to_string();
            let (first, second) = (pair[0].folder.clone(), pair[1].folder.clone());
            return Err(PartError::Twice { part, first, second }.into());
        }
    }
    let of = first.number.of();
    let is_given = |number: &usize| parts.iter().any(|part| part.number.number() == *number);
    let missing: Vec<usize> = (1..=of).filter(|number| !is_given(number)).collect();
    if !missing.is_empty() {
        return Err(PartError::Absent { missing, of }.into());
    }
    let mut end = 0;
    for Part { folder, manifest, .. } in parts {
        if manifest.plan.first != end {
            return Err(damaged(folder, "first label", end, manifest.plan.first));
        }
        end += manifest.plan.labels;
    }
    let distinct = first.manifest.plan.distinct;
    match parts.last() {
        Some(last) if end != distinct => Err(damaged(&last.folder, "last label", distinct, end)),
        _ => Ok(()),
    }
}

/// Refuses `dictionaries` that `part` is not a part of.
pub(crate) fn check_dictionaries(part: &Part, dictionaries: &[Dictionary]) -> Result<()> {
    let tables = PartTable::of(dictionaries);
    match difference_of_tables(&part.manifest.tables, &tables) {
        None => Ok(()),
        Some((what, expected, found)) => {
            let path = part.folder.clone();
            Err(PartError::Dictionaries { path, what, expected, found }.into())
        }
    }
}

fn damaged(folder: &Path, what: &'static str, expected: usize, found: usize) -> Error {
    let (path, expected, found) = (folder.join(MANIFEST), expected.to_string(), found.to_string());
    PartError::Damaged { path, what, expected, found }.into()
}
