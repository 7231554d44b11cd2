//! Finds dictionaries: files as given, and the `*.txt` of folders.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use interrogate::{Error as LibraryError, input};

use super::Dictionary;
use crate::{DictionaryError, Result};

/// Reads the dictionaries of `paths`, files and folders of `*.txt`. They are sorted by
/// table name.
///
/// # Errors
/// [`DictionaryError::Missing`] where a folder has none,
/// [`DictionaryError::DuplicateTable`], and those of [`Dictionary::open`].
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Dictionary>> {
    let mut dictionaries = Vec::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(LibraryError::io("read", path))?;
        let files = if kind.is_dir() { text_files(path)? } else { vec![path.clone()] };
        for file in files {
            dictionaries.push(Dictionary::open(&file)?);
        }
    }
    check_tables(&dictionaries)?;
    dictionaries.sort_by(|a, b| a.table().cmp(b.table()));
    Ok(dictionaries)
}

/// Refuses two dictionaries for one table. Case is ignored.
pub(crate) fn check_tables(dictionaries: &[Dictionary]) -> Result<()> {
    let mut tables: HashMap<String, &Path> = HashMap::new();
    for dictionary in dictionaries {
        // Some file systems ignore case.
        let name = dictionary.table().to_lowercase();
        if let Some(first) = tables.insert(name, dictionary.path()) {
            return Err(DictionaryError::DuplicateTable {
                name: dictionary.table().to_owned(),
                first: first.to_owned(),
                second: dictionary.path().to_owned(),
            }
            .into());
        }
    }
    Ok(())
}

/// Returns the `*.txt` of a folder, sorted, without hidden ones.
fn text_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || LibraryError::io("read", folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable())? {
        let path = entry.map_err(unreadable())?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let text = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
        if hidden || !text {
            continue;
        }
        // Only files: opening a pipe that was not named might wait forever.
        input::open(&path)?;
        files.push(path);
    }
    if files.is_empty() {
        return Err(DictionaryError::Missing { path: folder.to_owned() }.into());
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a folder of files, by names and contents.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn open(paths: &[&Path]) -> Result<Vec<Dictionary>> {
        open_all(&paths.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>())
    }

    fn error(paths: &[&Path]) -> String {
        open(paths).unwrap_err().to_string()
    }

    #[test]
    fn text_files_of_a_folder_are_tables_and_others_are_not() {
        let a =
            folder(&[("b.txt", "x"), ("README.md", "no"), (".hidden.txt", "no"), ("C.TXT", "y")]);
        let b = folder(&[("a.txt", "z")]);
        let found = open(&[a.path(), &b.path().join("a.txt")]).unwrap();
        let tables: Vec<_> = found.iter().map(Dictionary::table).collect();
        assert_eq!(tables, ["C", "a", "b"]);
    }

    #[test]
    fn folder_without_dictionaries_is_an_error() {
        let empty = folder(&[]);
        assert!(error(&[empty.path()]).starts_with("no dictionary (*.txt) in "));
        let missing = empty.path().join("dicts");
        assert_eq!(error(&[&missing]), format!("cannot read {}", missing.display()));
    }

    #[test]
    fn folder_with_a_dictionary_s_name_is_an_error() {
        let a = folder(&[("b.txt", "x")]);
        fs::create_dir(a.path().join("x.txt")).unwrap();
        assert!(error(&[a.path()]).ends_with("x.txt: kind: expected a file, found a folder"));
    }

    #[test]
    #[cfg(unix)]
    fn device_in_a_folder_is_an_error() {
        let a = folder(&[("b.txt", "x")]);
        std::os::unix::fs::symlink("/dev/null", a.path().join("x.txt")).unwrap();
        assert!(error(&[a.path()]).ends_with("x.txt: kind: expected a file, found a device"));
    }

    #[test]
    fn two_dictionaries_for_one_table_are_refused() {
        for (one, other) in [("a.txt", "A.top2.txt"), ("sites.txt", "trendings.txt")] {
            let a = folder(&[(one, "x"), (other, "y")]);
            assert!(error(&[a.path()]).starts_with("two dictionaries for table "), "{one}");
        }
        let a = folder(&[("a.txt", "x")]);
        assert!(error(&[a.path(), a.path()]).starts_with("two dictionaries for table a: "));
    }
}
