//! Errors of dictionaries.

use std::path::PathBuf;

/// Why a dictionary cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// No dictionary was given, or the folder holds none: put a `.txt` file there, one
    /// label a line.
    #[error("no dictionary (*.txt) in {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A dictionary has no label: it is empty, or each of its lines was left out.
    #[error("no label in {}: {left_out} of {lines} lines left out", path.display())]
    NoLabel {
        /// The dictionary.
        path: PathBuf,
        /// Lines of the file.
        lines: usize,
        /// Lines that hold no usable label.
        left_out: usize,
    },
    /// A file's name is not a valid table name: rename the file.
    #[error("{}: invalid table name {name:?}", path.display())]
    TableName {
        /// The dictionary.
        path: PathBuf,
        /// The table name that the file's name gives.
        name: String,
    },
    /// Two dictionaries are for one table: rename or leave out one.
    #[error("two dictionaries for table {name}: {} and {}", first.display(), second.display())]
    DuplicateTable {
        /// The table's name.
        name: String,
        /// A dictionary for it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// The build has no dictionaries: a package of a registry lacks them.
    #[error("this build has no embedded dictionaries")]
    NotEmbedded,
    /// The number after `top` in a file's name is too large.
    #[error("{}: top{found} is more than {}", path.display(), u32::MAX)]
    Top {
        /// The dictionary.
        path: PathBuf,
        /// The digits after "top".
        found: String,
    },
}

impl DictionaryError {
    /// What to try next.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            DictionaryError::Missing { .. } => "put a .txt file there, one label a line",
            DictionaryError::NoLabel { .. } => {
                "write one label a line, in UTF-8, or leave the file out"
            }
            DictionaryError::TableName { .. } => {
                "rename the file: letters, digits, '-', '_', '.' and spaces, at most 128 bytes"
            }
            DictionaryError::DuplicateTable { .. } => "rename one of the files, or leave it out",
            DictionaryError::NotEmbedded => {
                "build from the repository, or name a folder of dictionaries"
            }
            DictionaryError::Top { .. } => "name the file like flavors.top3.txt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_message_and_hint() {
        let path = PathBuf::from("x.txt");
        let cases = [
            (
                DictionaryError::Missing { path: "d".into() },
                "no dictionary (*.txt) in d",
                "one label",
            ),
            (
                DictionaryError::NoLabel { path: path.clone(), lines: 3, left_out: 3 },
                "no label in x.txt: 3 of 3 lines left out",
                "UTF-8",
            ),
            (
                DictionaryError::TableName { path: path.clone(), name: "a:b".into() },
                "x.txt: invalid table name \"a:b\"",
                "letters",
            ),
            (
                DictionaryError::DuplicateTable {
                    name: "x".into(),
                    first: path.clone(),
                    second: "y".into(),
                },
                "two dictionaries for table x: x.txt and y",
                "rename",
            ),
            (
                DictionaryError::NotEmbedded,
                "this build has no embedded dictionaries",
                "folder of dictionaries",
            ),
            (
                DictionaryError::Top { path, found: "5000000000".into() },
                "x.txt: top5000000000 is more than 4294967295",
                "flavors.top3.txt",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert!(error.hint().contains(hint), "{error}");
        }
    }
}
