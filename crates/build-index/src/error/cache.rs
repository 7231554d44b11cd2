//! Errors of clip-interrogator's caches, on import and export.

use std::path::PathBuf;

/// Why a cache cannot be read or written.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file is not a cache of clip-interrogator's, or is damaged: delete it and let
    /// clip-interrogator write it again.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Invalid {
        /// The cache.
        path: PathBuf,
        /// The property that is wrong.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A cache is of other labels than the dictionary's: pass the dictionary that
    /// clip-interrogator read.
    #[error(
        "{}: expected the hash {expected}, of the labels of {}, found {found}",
        path.display(), dictionary.display()
    )]
    Hash {
        /// The cache.
        path: PathBuf,
        /// The dictionary.
        dictionary: PathBuf,
        /// The digest of the dictionary's labels, as clip-interrogator computes it.
        expected: String,
        /// The digest in the cache.
        found: String,
    },
    /// A file's name does not end in a table that there is a dictionary for.
    #[error("{}: expected a name like MODEL_TABLE.safetensors, with a table of {}", path.display(), tables.join(", "))]
    Table {
        /// The file.
        path: PathBuf,
        /// The tables of the dictionaries.
        tables: Vec<String>,
    },
    /// A folder holds no cache.
    #[error("no cache (*.safetensors) in {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds caches of several models, and none or more than one has a name of
    /// the model in use.
    #[error("{}: expected the caches of one model, found those of {}", path.display(), found.join(", "))]
    Models {
        /// The folder.
        path: PathBuf,
        /// The models' names.
        found: Vec<String>,
    },
    /// Two caches are of one table: leave out one.
    #[error("two caches for table {table}: {} and {}", first.display(), second.display())]
    DuplicateTable {
        /// The table.
        table: String,
        /// A cache of it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// The rows of a cache are not the model's embeddings of its labels: they are another
    /// model's.
    #[error(
        "{}: expected rows of the model {model}, found others: {label:?} has a cosine of {cosine:.3} with the model's own",
        path.display()
    )]
    OtherModel {
        /// The cache.
        path: PathBuf,
        /// The model.
        model: String,
        /// A label that was compared.
        label: String,
        /// The cosine of its row and the model's own.
        cosine: f64,
    },
    /// A dictionary is not the one that a table of the exported index was built from.
    #[error(
        "{}: expected the dictionary of the table {table} in {}, found other labels",
        path.display(), index.display()
    )]
    OtherDictionary {
        /// The dictionary.
        path: PathBuf,
        /// The index.
        index: PathBuf,
        /// The table.
        table: String,
    },
    /// A file has the name of a cache to be written: nothing is overwritten.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

impl CacheError {
    /// What to try next.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            CacheError::Invalid { .. } => {
                "delete the file and let clip-interrogator write it again, or leave it out; the labels are encoded then"
            }
            CacheError::Hash { .. } => {
                "give the dictionaries that clip-interrogator read: its own, or those that it was told to load"
            }
            CacheError::Table { .. } => {
                "give the table's dictionary, or name the files to import one by one"
            }
            CacheError::Missing { .. } => {
                "clip-interrogator keeps its caches in the folder cache/ where it was run"
            }
            CacheError::Models { .. } => "name the model whose caches to import",
            CacheError::DuplicateTable { .. } => "leave one of them out",
            CacheError::OtherModel { .. } => "name the model that clip-interrogator ran",
            CacheError::OtherDictionary { .. } => {
                "give the dictionaries of the build, or build the index again from these"
            }
            CacheError::Exists { .. } => "remove it, or name another folder",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_message_and_hint() {
        let path = PathBuf::from("c/m_t.safetensors");
        let text = str::to_owned;
        let cases = [
            (
                CacheError::Invalid {
                    path: path.clone(),
                    what: "rows",
                    expected: text("unit length"),
                    found: text("length 2 in row 5"),
                },
                "c/m_t.safetensors: rows: expected unit length, found length 2 in row 5",
                "write it again",
            ),
            (
                CacheError::Hash {
                    path: path.clone(),
                    dictionary: "t.txt".into(),
                    expected: text("ab"),
                    found: text("cd"),
                },
                "c/m_t.safetensors: expected the hash ab, of the labels of t.txt, found cd",
                "the dictionaries that clip-interrogator read",
            ),
            (
                CacheError::Table { path: path.clone(), tables: vec![text("a"), text("b")] },
                "c/m_t.safetensors: expected a name like MODEL_TABLE.safetensors, with a table of a, b",
                "the table's dictionary",
            ),
            (CacheError::Missing { path: "c".into() }, "no cache (*.safetensors) in c", "cache/"),
            (
                CacheError::Models { path: "c".into(), found: vec![text("m"), text("n")] },
                "c: expected the caches of one model, found those of m, n",
                "name the model",
            ),
            (
                CacheError::DuplicateTable {
                    table: text("t"),
                    first: path.clone(),
                    second: "x".into(),
                },
                "two caches for table t: c/m_t.safetensors and x",
                "leave one",
            ),
            (
                CacheError::OtherModel {
                    path: path.clone(),
                    model: text("m"),
                    label: text("8k"),
                    cosine: 0.25,
                },
                "c/m_t.safetensors: expected rows of the model m, found others: \"8k\" has a cosine of 0.250 with the model's own",
                "the model that clip-interrogator ran",
            ),
            (
                CacheError::OtherDictionary {
                    path: "t.txt".into(),
                    index: "i".into(),
                    table: text("t"),
                },
                "t.txt: expected the dictionary of the table t in i, found other labels",
                "build the index again",
            ),
            (CacheError::Exists { path }, "c/m_t.safetensors already exists", "another folder"),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert!(error.hint().contains(hint), "{error}");
        }
    }
}
