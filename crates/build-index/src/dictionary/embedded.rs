//! The dictionaries that are compiled in: the files of `dicts/` in the repository.

use std::path::Path;

use super::Dictionary;
use crate::{DictionaryError, Result};

/// The folder in the paths of embedded dictionaries. No such folder exists.
pub(super) const FOLDER: &str = "<embedded>";

/// File names and contents.
#[cfg(dictionaries)]
const FILES: &[(&str, &str)] = &[
    ("artists.txt", include_str!("../../../../dicts/artists.txt")),
    ("flavors.txt", include_str!("../../../../dicts/flavors.txt")),
    ("mediums.txt", include_str!("../../../../dicts/mediums.txt")),
    ("movements.txt", include_str!("../../../../dicts/movements.txt")),
    ("negative.txt", include_str!("../../../../dicts/negative.txt")),
    ("sites.txt", include_str!("../../../../dicts/sites.txt")),
];

#[cfg(not(dictionaries))]
const FILES: &[(&str, &str)] = &[];

/// Parses the dictionaries that are compiled in: those of clip-interrogator 0.6.0, 1.9 MB. They
/// are sorted by table name and equal what [`open_all`](crate::open_all) reads from the
/// repository's `dicts/`, except for their paths.
///
/// # Errors
/// [`DictionaryError::NotEmbedded`] if the crate was built from a registry's package, which
/// lacks them.
pub fn embedded() -> Result<Vec<Dictionary>> {
    if FILES.is_empty() {
        return Err(DictionaryError::NotEmbedded.into());
    }
    let parse = |(name, text): &(&str, &'static str)| {
        let parsed = Dictionary::parse(&Path::new(FOLDER).join(name), text.as_bytes())?;
        Ok(Dictionary { embedded: Some(text), ..parsed })
    };
    let mut dictionaries = FILES.iter().map(parse).collect::<Result<Vec<_>>>()?;
    dictionaries.sort_by(|a, b| a.table().cmp(b.table()));
    Ok(dictionaries)
}

/// Returns the file names and texts of the dictionaries that are compiled in, sorted by name.
/// Empty if the crate was built from a registry's package, which lacks them.
pub fn embedded_texts() -> &'static [(&'static str, &'static str)] {
    FILES
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::open_all;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dicts")
    }

    #[test]
    fn embedded_dictionaries_equal_those_of_the_folder() {
        let (embedded, read) = (embedded().unwrap(), open_all(&[folder()]).unwrap());
        assert_eq!(embedded.len(), read.len());
        for (ours, theirs) in embedded.iter().zip(&read) {
            assert_eq!((ours.table(), ours.top()), (theirs.table(), theirs.top()));
            assert!(ours.labels() == theirs.labels(), "{}", ours.table());
            assert_eq!(ours.findings(), theirs.findings());
            assert!(ours.every_label().unwrap() == theirs.every_label().unwrap());
            assert_eq!(ours.path().file_name(), theirs.path().file_name());
            assert!(ours.is_embedded() && !theirs.is_embedded());
        }
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name());
        let texts = files.filter(|name| name.to_string_lossy().ends_with(".txt")).count();
        assert_eq!(texts, embedded_texts().len());
        assert!(embedded_texts().is_sorted());
    }
}
