//! Finds caches: files as given, and those of folders.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use interrogate::Error as LibraryError;

use super::{Cache, names};
use crate::{CacheError, Dictionary, Result};

/// Opens the caches of `paths`, files and folders of `*.safetensors`, each with the
/// dictionary of its table. In a folder with caches of several models, only those are
/// opened whose model's name is one of `models` ([`cache_names`](super::cache_names)).
///
/// # Errors
/// [`CacheError::Missing`] where a folder has none, [`CacheError::Table`] where a
/// file is of no dictionary's table, [`CacheError::Models`] where the model cannot be
/// told, [`CacheError::DuplicateTable`], and those of [`Cache::open`].
pub fn open_caches(
    paths: &[PathBuf],
    dictionaries: &[Dictionary],
    models: &[String],
) -> Result<Vec<Cache>> {
    let mut found: BTreeMap<&str, (PathBuf, &Dictionary)> = BTreeMap::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(LibraryError::io("read", path))?;
        let files = if kind.is_dir() {
            in_folder(path, dictionaries, models)?
        } else {
            vec![(path.clone(), dictionary_of(path, dictionaries)?.1)]
        };
        for (file, dictionary) in files {
            let table = dictionary.table();
            if let Some((first, _)) = found.insert(table, (file.clone(), dictionary)) {
                return Err(CacheError::DuplicateTable {
                    table: table.to_owned(),
                    first,
                    second: file,
                }
                .into());
            }
        }
    }
    found.into_values().map(|(path, dictionary)| Cache::open(&path, dictionary)).collect()
}

/// Returns the caches of a folder and their dictionaries, sorted by path.
fn in_folder<'a>(
    folder: &Path,
    dictionaries: &'a [Dictionary],
    models: &[String],
) -> Result<Vec<(PathBuf, &'a Dictionary)>> {
    let unreadable = || LibraryError::io("read", folder);
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable())? {
        let path = entry.map_err(unreadable())?.path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            let (model, dictionary) = dictionary_of(&path, dictionaries)?;
            all.push((model, path, dictionary));
        }
    }
    if all.is_empty() {
        return Err(CacheError::Missing { path: folder.to_owned() }.into());
    }
    let found: BTreeSet<&String> = all.iter().map(|(model, ..)| model).collect();
    let known: BTreeSet<&String> = found.iter().copied().filter(|m| models.contains(m)).collect();
    let chosen = match (known.len(), found.len()) {
        (1, _) => known,
        (0, 1) => found,
        _ => {
            let found = found.into_iter().cloned().collect();
            return Err(CacheError::Models { path: folder.to_owned(), found }.into());
        }
    };
    let chosen: BTreeSet<String> = chosen.into_iter().cloned().collect();
    let mut files: Vec<_> = all.into_iter().filter(|(model, ..)| chosen.contains(model)).collect();
    files.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
    Ok(files.into_iter().map(|(_, path, dictionary)| (path, dictionary)).collect())
}

/// Returns the model's name and the dictionary of a cache, from the file's name.
fn dictionary_of<'a>(
    path: &Path,
    dictionaries: &'a [Dictionary],
) -> Result<(String, &'a Dictionary)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let found = names::split(&name, dictionaries);
    let (model, dictionary) = found.ok_or_else(|| CacheError::Table {
        path: path.to_owned(),
        tables: dictionaries.iter().map(|d| d.table().to_owned()).collect(),
    })?;
    Ok((model.to_owned(), dictionary))
}
