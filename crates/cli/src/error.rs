//! The program's error: what ends a run, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use build_index::terminal::{build_hint, library_hint};
use interrogate::error::ModelError;

use crate::config::{Config, ConfigError};
use crate::folders::{self, NoHome};
use crate::interrupt;
use crate::logger::Logger;
use crate::output::OutputError;

/// An error that ends the run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// An error of the library.
    #[error(transparent)]
    Library(#[from] interrogate::Error),
    /// The index cannot be built.
    #[error(transparent)]
    Build(#[from] build_index::Error),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no place for an index.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The writer has failed. Its own error replaces this one.
    #[error("the output cannot be written any more")]
    WriterStopped,
    /// A path is not an image.
    #[error("{}: {problem}", path.display())]
    NoImage {
        /// As typed.
        path: PathBuf,
        problem: &'static str,
    },
    /// A folder or a glob has no image.
    #[error("{}: {problem}{}", path.display(), and(skipped.as_ref()))]
    NoImageIn {
        /// As typed.
        path: PathBuf,
        problem: &'static str,
        /// The summary of its other files.
        skipped: Option<String>,
    },
    /// A glob is invalid.
    #[error("{pattern}: invalid glob")]
    Glob {
        /// As typed.
        pattern: String,
        source: glob::PatternError,
    },
    /// A file of prompts cannot be read.
    #[error(transparent)]
    PromptFile(interrogate::Error),
    /// The number of weights is not the number of files.
    #[error("expected {files} weights, one per file, found {weights}")]
    Weights { weights: usize, files: usize },
    /// A row cannot be scaled to unit length. `row` counts from 0.
    #[error("{}: row {row} is zero or not finite", path.display())]
    ZeroRow {
        /// The input, or the output for a sum.
        path: PathBuf,
        row: usize,
    },
    /// The path of the report is not usable.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Report {
        /// As typed.
        path: PathBuf,
        expected: &'static str,
        found: String,
    },
    /// The shards of some inputs are not written. Each has logged its error.
    #[error("{failed} of {inputs} inputs failed")]
    Shards { failed: usize, inputs: usize },
    /// The arguments do not fit together, or leave a choice such as one of several indexes.
    #[error("{message}")]
    Arguments { message: String, hint: String },
}

impl CliError {
    /// Logs the error and returns the exit code: success for a closed pipe, the signal's code for
    /// a build that a signal stopped, else 2.
    pub(crate) fn report(&self, logger: &Logger) -> ExitCode {
        match self {
            CliError::Output(OutputError::Stdout(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return ExitCode::SUCCESS;
            }
            _ => logger.error(self, self.hint()),
        }
        match self {
            CliError::Build(build_index::Error::Stopped { .. }) if interrupt::interrupted() => {
                ExitCode::from(interrupt::exit_code())
            }
            _ => ExitCode::from(2),
        }
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            CliError::Library(interrogate::Error::Model(
                ModelError::Unknown { name, .. } | ModelError::CaptionerUnknown { name, .. },
            )) if let Some(hint) = Config::hint(name) => {
                return Some(hint);
            }
            CliError::Library(error) => {
                return folders::hint(error).or_else(|| library_hint(error));
            }
            CliError::Build(build_index::Error::Library(error)) => {
                return folders::hint(error).or_else(|| library_hint(error));
            }
            CliError::Build(error) => return build_hint(error),
            CliError::Config(error) => return error.hint(),
            CliError::NoHome(NoHome { variable }) => {
                return Some(format!(
                    "set HOME or {variable}, or create the folder indexes in the working folder, or pass --index DIR"
                ));
            }
            CliError::Output(error) => return error.hint(),
            CliError::WriterStopped => return None,
            CliError::NoImage { .. } | CliError::NoImageIn { .. } => {
                "name image files, folders that hold some (below them with --recursive), or globs such as 'photos/*.jpg'"
            }
            CliError::Glob { .. } => "in a glob * ? and [a-z] are special",
            CliError::PromptFile(error) => {
                return Some(library_hint(error).unwrap_or_else(|| {
                    "name the format if the file is right: --input-format lines, jsonl, csv or tsv"
                        .to_owned()
                }));
            }
            CliError::Weights { .. } => "pass a weight for each file: --weights 0.6,0.4",
            CliError::ZeroRow { .. } => "leave the row out, or pass weights that do not cancel",
            CliError::Shards { .. } => {
                "run the same command again once they can be read: finished inputs are skipped"
            }
            CliError::Report { .. } => "name the page to write, such as report.html",
            CliError::Arguments { hint, .. } => hint,
        };
        Some(hint.to_owned())
    }
}

fn and(skipped: Option<&String>) -> String {
    skipped.map_or_else(String::new, |skipped| format!("; {skipped}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: CliError) -> String {
        format!("{:?}", error.report(&Logger::new(true)))
    }

    #[test]
    fn closed_stdout_is_success() {
        let closed = OutputError::Stdout(io::ErrorKind::BrokenPipe.into());
        assert_eq!(code(closed.into()), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn other_errors_have_exit_code_2() {
        let full = OutputError::Stdout(io::ErrorKind::StorageFull.into());
        let missing = interrogate::Error::io("open", "a.jpg")(io::ErrorKind::NotFound.into());
        // A closed pipe that is a file of the user's is an error.
        let fifo = interrogate::Error::io("write", "fifo")(io::ErrorKind::BrokenPipe.into());
        for error in [full.into(), missing.into(), OutputError::File(fifo).into()] {
            assert_eq!(code(error), format!("{:?}", ExitCode::from(2)));
        }
    }

    #[test]
    fn hint_of_a_prompt_file_names_the_formats() {
        let error = interrogate::Error::mismatch("p", "format", "CSV", "Parquet");
        let hint = CliError::PromptFile(error).hint();
        assert!(hint.is_some_and(|hint| hint.contains("--input-format lines, jsonl, csv or tsv")));
    }
}
