//! How a run ends: the exit codes, and what stops it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use interrogate::caption::NAMES;

use crate::interrupt;
use crate::logger::Logger;
use crate::output::OutputError;
use crate::rows;

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The library refused.
    #[error(transparent)]
    Library(#[from] interrogate::Error),
    /// The index could not be built.
    #[error(transparent)]
    Build(#[from] build_index::Error),
    /// Rows cannot be read or written.
    #[error(transparent)]
    Rows(#[from] rows::Error),
    /// Nobody reads stdout any more, or it cannot be written.
    #[error("cannot write to standard output")]
    Stdout(#[from] io::Error),
    /// No image stands where one was named.
    #[error("{}: {problem}", path.display())]
    NoImage {
        /// As typed.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A folder or a glob has no image.
    #[error("{}: {problem}{}", path.display(), and(skipped.as_ref()))]
    NoImageIn {
        /// As typed.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// What it holds instead.
        skipped: Option<String>,
    },
    /// A glob that does not parse.
    #[error("{pattern}: not a glob")]
    Glob {
        /// As typed.
        pattern: String,
        /// Why.
        source: glob::PatternError,
    },
    /// What was named makes no captions.
    #[error("no captioner is named {name:?}")]
    UnknownCaptioner {
        /// As typed.
        name: String,
    },
    /// A page cannot stand at the place that was named.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Report {
        /// As typed.
        path: PathBuf,
        /// What it had to be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// Renderer cannot go where they were sent.
    #[error(transparent)]
    OutputError(#[from] OutputError),
    /// The thread that writes has ended; it says why itself.
    #[error("answers cannot be written any more")]
    WriterStopped,
    /// Which index is meant cannot be told.
    #[error("{message}")]
    Ambiguous {
        /// What is there.
        message: String,
        /// What to type.
        hint: String,
    },
}

impl CliError {
    /// Says what stopped the run and gives the exit code: a closed pipe is
    /// success, a build that was asked to end has its signal's, all else is 2.
    pub(crate) fn report(&self, logger: &Logger) -> ExitCode {
        match self {
            CliError::Stdout(error) | CliError::Rows(rows::Error::Write { source: error, .. })
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return ExitCode::SUCCESS;
            }
            _ => logger.error(self, self.hint()),
        }
        match self {
            CliError::Build(build_index::Error::Stopped { .. }) if interrupt::asked() => {
                ExitCode::from(interrupt::code())
            }
            _ => ExitCode::from(2),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            CliError::Library(error) => error.hint(),
            CliError::Build(error) => error.hint(),
            CliError::Rows(error) => error.hint(),
            CliError::Stdout(_) | CliError::WriterStopped => None,
            CliError::OutputError(refused) => Some(refused.hint()),
            CliError::NoImage { .. } | CliError::NoImageIn { .. } => Some(
                "name image files, folders that hold some (below them with --recursive), or globs such as 'photos/*.jpg'".into(),
            ),
            CliError::Glob { .. } => Some("in a glob * ? and [a-z] are special".into()),
            CliError::UnknownCaptioner { .. } => Some(format!(
                "a captioner is a folder that exists, a hub id owner/name, or one of {}",
                NAMES.map(|(name, _)| name).join(", ")
            )),
            CliError::Report { .. } => Some("name the page to write, such as report.html".into()),
            CliError::Ambiguous { hint, .. } => Some(hint.clone()),
        }
    }
}

fn and(skipped: Option<&String>) -> String {
    skipped.map_or_else(String::new, |skipped| format!("; {skipped}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_stdout_is_success() {
        let logger = Logger::new(true);
        let closed = CliError::Stdout(io::ErrorKind::BrokenPipe.into());
        assert_eq!(format!("{:?}", closed.report(&logger)), format!("{:?}", ExitCode::from(0)));
    }
}
