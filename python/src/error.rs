//! Errors as exceptions: those of the libraries, by area, with their causes and hints.

use interrogate::error::{IndexError, ModelError};
use pyo3::prelude::*;

/// An error of this module or of the libraries below it.
pub(crate) enum Error {
    Library(interrogate::Error),
    Build(build_index::Error),
    /// An exception of a callback, a signal, or a conversion.
    Python(PyErr),
    /// This process is a fork of one whose threads had started.
    Forked,
    /// An argument is invalid.
    Argument {
        message: String,
        hint: String,
    },
    /// An image cannot be read or decoded.
    Undecodable(interrogate::Error),
    /// An image in memory has no valid pixels.
    Image {
        message: String,
        hint: &'static str,
    },
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Returns an error for an invalid argument.
pub(crate) fn argument(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Argument { message: message.into(), hint: hint.into() }
}

impl From<interrogate::Error> for Error {
    fn from(error: interrogate::Error) -> Self {
        Error::Library(error)
    }
}

impl From<build_index::Error> for Error {
    fn from(error: build_index::Error) -> Self {
        match error {
            build_index::Error::Library(error) => Error::Library(error),
            error => Error::Build(error),
        }
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Error::Python(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let (class, message, hint) = match error {
            Error::Python(error) => return error,
            Error::Library(error) => (class_of(&error), with_causes(&error), hint_of(&error)),
            Error::Undecodable(error) => {
                let class = match &error {
                    interrogate::Error::Io { .. } => "FileError",
                    _ => "ImageError",
                };
                (class, with_causes(&error), hint_of(&error))
            }
            Error::Build(error) => {
                let class = match &error {
                    build_index::Error::Dictionary(_) => "DictionaryError",
                    _ => "BuildError",
                };
                (class, with_causes(&error), error.hint())
            }
            Error::Forked => (
                "ForkError",
                "this process was forked from one that had already used interrogate_clip"
                    .to_owned(),
                Some(FORK_HINT.to_owned()),
            ),
            Error::Argument { message, hint } => ("ArgumentError", message, Some(hint)),
            Error::Image { message, hint } => ("ImageError", message, Some(hint.to_owned())),
        };
        Python::attach(|py| exception(py, class, &message, hint))
    }
}

/// How to avoid a fork of started threads.
const FORK_HINT: &str = "threads do not survive a fork: start workers with \
    multiprocessing.get_context(\"spawn\"), or open models and indexes only in the workers";

/// Creates the exception `class` of the module `interrogate_clip.errors`.
fn exception(py: Python<'_>, class: &str, message: &str, hint: Option<String>) -> PyErr {
    let created = py
        .import("interrogate_clip.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1((message, hint)));
    match created {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Returns the name of the exception for `error`.
fn class_of(error: &interrogate::Error) -> &'static str {
    use interrogate::Error as E;
    match error {
        E::Io { .. } => "FileError",
        E::Json { .. } | E::Mismatch { .. } | E::Weights(_) | E::Checkpoint(_) | E::Model(_) => {
            "ModelError"
        }
        E::Rows(_) | E::Query(_) => "FeaturesError",
        E::Device(_) => "DeviceError",
        E::Hub(_) => "DownloadError",
        E::Picture(_) => "ImageError",
        E::Index(IndexError::TableMissing { .. }) => "TableNotFoundError",
        E::Index(_) => "LabelIndexError",
        E::Prompt(_) => "PromptError",
        E::Caption(_) => "CaptionError",
        _ => "InterrogateError",
    }
}

/// Returns the hint for `error`, in terms of this package.
fn hint_of(error: &interrogate::Error) -> Option<String> {
    match error {
        interrogate::Error::Model(ModelError::StarterMissing) => {
            Some("pip install interrogate-clip-starter, or name another model".to_owned())
        }
        interrogate::Error::Index(IndexError::Missing { .. }) => {
            Some("build one with build_index()".to_owned())
        }
        error => error.hint(),
    }
}

/// Returns the message of `error` and of its causes: `message: cause: cause`.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"))
}
