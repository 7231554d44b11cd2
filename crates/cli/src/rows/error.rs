//! What is wrong with rows, or with where they go.

use std::io;
use std::path::PathBuf;

/// What is wrong with rows, or with where they go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The disk or the folder refused.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file that was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is none, cannot be made, or not take its place.
    #[error(transparent)]
    Draft(#[from] interrogate::Error),
    /// A file of rows cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A form that is no text, without a file to go to.
    #[error("{format} goes into a file, and none is named")]
    Unnamed {
        /// The form.
        format: &'static str,
    },
    /// The Parquet library refused.
    #[error("cannot write {}", path.display())]
    Parquet {
        /// The file that was named.
        path: PathBuf,
        /// What it said.
        source: ::parquet::errors::ParquetError,
    },
    /// A file of prompts cannot be read.
    #[error(transparent)]
    Prompts(interrogate::Error),
    /// A submission's rows are named by images, and a prompt has none.
    #[error("a submission names rows by image, and the prompt in row {row} has none")]
    Nameless {
        /// Counted from 0.
        row: usize,
    },
    /// A file is no .npy of rows as this program reads it.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// Which property of it.
        what: &'static str,
        /// What it had to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Weights do not belong to the files.
    #[error("{weights} weights for {files} files")]
    Weights {
        /// How many weights.
        weights: usize,
        /// How many files.
        files: usize,
    },
    /// A row cannot be brought to unit length.
    #[error("{}: row {row} is zero or not finite", path.display())]
    Direction {
        /// The file, or the output for a sum.
        path: PathBuf,
        /// Counted from 0.
        row: usize,
    },
}

impl Error {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Unnamed { .. } => "name one: -o FILE",
            Error::Prompts(error) => {
                return Some(error.hint().unwrap_or_else(|| {
                    "name the format if the file is right: --input-format lines, jsonl or csv"
                        .to_owned()
                }));
            }
            Error::Nameless { .. } => {
                "give the JSON lines or CSV of interrogate prompt, which name the image"
            }
            Error::Npy { .. } => {
                "a file is (rows, values) of f32 or f64, as embed prompts writes it"
            }
            Error::Weights { .. } => "give a weight for each file: --weights 0.6,0.4",
            Error::Direction { .. } => "leave the row out, or give weights that do not cancel",
            Error::Write { source, .. } | Error::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "the folder must exist; check the spelling",
                io::ErrorKind::PermissionDenied => {
                    "you lack the permission; choose another folder or change its mode"
                }
                io::ErrorKind::StorageFull => "the disk is full; free some space",
                _ => return None,
            },
            Error::Draft(error) => return error.hint(),
            Error::Parquet { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
