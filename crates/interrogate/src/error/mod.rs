//! The library's errors: one enum, with an enum for each area below it.
//!
//! [`Error`] has a variant for what can happen everywhere (the file system, JSON, a
//! file whose content is wrong) and one for each area, whose own enum says what is
//! wrong there: [`PictureError`], [`HubError`], [`IndexError`] and so on. A message is
//! one line that begins with the path or the item; the cause is in
//! [`std::error::Error::source`] alone. [`Error::hint`] says what to do about it in
//! terms of this library; the programs say which option to pass.

mod caption;
mod checkpoint;
mod device;
mod hub;
mod index;
mod make;
mod model;
mod picture;
mod pipeline;
mod prompt;
mod query;
mod rows;
mod weights;
mod words;

use std::io;
use std::path::PathBuf;

pub use caption::CaptionError;
pub use checkpoint::CheckpointError;
pub use device::DeviceError;
pub use hub::HubError;
pub use index::IndexError;
pub(crate) use make::bare;
pub use model::ModelError;
pub use picture::PictureError;
pub use pipeline::PipelineError;
pub use prompt::PromptError;
pub use query::QueryError;
pub use rows::RowsError;
pub use weights::WeightsError;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause whose type belongs to another library.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Any error of this library.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation, as a verb: "open", "read", "map", "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A JSON file does not parse or lacks a field. The cause gives the line.
    #[error("{} is not the JSON expected here", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why the parser stopped.
        source: serde_json::Error,
    },
    /// A property of a file or a table has the wrong value.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The property.
        what: &'static str,
        /// Its valid value or values.
        expected: String,
        /// The value in the file.
        found: String,
    },
    /// A callback requested the end. Nothing is wrong; unfinished work is discarded.
    #[error("interrupted")]
    Interrupted,

    /// Rows of embeddings or features are invalid.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A device is missing, unsupported or out of memory.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file of weights is invalid or does not fit its configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A checkpoint's folder is incomplete, or its tokenizer is unusable.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No model has the given name, or this build lacks it.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A download failed or is not allowed.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A picture cannot be decoded or preprocessed.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// An index is missing, damaged, or of another model.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A query cannot be parsed or has no direction.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A prompt, a template or a deny list is invalid.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A caption cannot be generated.
    #[error(transparent)]
    Caption(#[from] CaptionError),
    /// A pipeline's task or configuration is invalid.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl Error {
    /// Returns what to do about the error: one sentence without a full stop, or `None`
    /// where the message suffices.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Io { source, .. } => io_hint(source.kind()).map(str::to_owned),
            Error::Mismatch { what: "text cleaning", .. } => Some(
                "use the TextCleaning that the index was built with, or build an index for this one"
                    .to_owned(),
            ),
            Error::Json { .. } | Error::Mismatch { .. } | Error::Interrupted => None,
            Error::Rows(error) => error.hint().map(str::to_owned),
            Error::Device(error) => error.hint(),
            Error::Weights(error) => Some(error.hint().to_owned()),
            Error::Checkpoint(error) => Some(error.hint().to_owned()),
            Error::Model(error) => Some(error.hint()),
            Error::Hub(error) => Some(error.hint()),
            Error::Picture(error) => error.hint().map(str::to_owned),
            Error::Index(error) => Some(error.hint()),
            Error::Query(error) => Some(error.hint().to_owned()),
            Error::Prompt(error) => error.hint(),
            Error::Caption(error) => Some(error.hint().to_owned()),
            Error::Pipeline(error) => error.hint(),
        }
    }
}

fn io_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::NotFound => {
            Some("check the spelling; relative paths start at the working folder")
        }
        io::ErrorKind::PermissionDenied => {
            Some("you lack the permission; choose another folder or change its mode")
        }
        io::ErrorKind::StorageFull => {
            Some("the disk is full; free some space and run the same command again")
        }
        _ => None,
    }
}
