//! Label indexes on disk.

use std::path::PathBuf;

/// An index is missing, damaged, or of another model.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The folder holds no index.
    #[error("no index in {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A build started here and did not finish.
    #[error("the index in {} is unfinished: it has no manifest.json", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// The index has a newer version of the format.
    #[error("{}: index format {found}, expected 1 to {expected}", path.display())]
    Version {
        /// The manifest.
        path: PathBuf,
        /// The newest version that this library reads.
        expected: u32,
        /// The version in the file.
        found: u64,
    },
    /// The index belongs to another model or to other weights: scores between the two
    /// mean nothing.
    #[error("the index in {} is of the model {found}, expected {expected}", path.display())]
    Model {
        /// The folder.
        path: PathBuf,
        /// The model in use, with the start of its fingerprint.
        expected: String,
        /// The index's model, likewise.
        found: String,
    },
    /// A file of the index is not as the builder wrote it.
    #[error("damaged index: {}: {what}: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The property that is wrong.
        what: &'static str,
        /// Its valid value.
        expected: String,
        /// The value in the file.
        found: String,
    },
    /// The index has no table of this name.
    #[error("the index in {} has no table {name:?}", path.display())]
    TableMissing {
        /// The folder.
        path: PathBuf,
        /// The given name.
        name: String,
        /// The tables of the index, sorted by name.
        tables: Vec<String>,
    },
}

impl IndexError {
    pub(super) fn hint(&self) -> String {
        let hint = match self {
            IndexError::Missing { .. } => "build one with build_index::Builder",
            IndexError::Unfinished { .. } => {
                "run the same build again; it resumes where it stopped"
            }
            IndexError::Version { .. } => {
                "build the index again with this release, or read it with the release that wrote it"
            }
            IndexError::Model { .. } => {
                "open the model and text cleaning that the index was built with, or build an index for this model"
            }
            IndexError::Damaged { .. } => {
                "build the index again: a build verifies the rows that it keeps and encodes the rest"
            }
            IndexError::TableMissing { tables, .. } => {
                return format!("its tables are {}", tables.join(", "));
            }
        };
        hint.to_owned()
    }
}
