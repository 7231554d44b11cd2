//! How a run ends: the exit codes, and what stops it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use interrogate::caption::NAMES;

use crate::interrupt;
use crate::logger::Logger;
use crate::rows;
use crate::sink::Refused;

/// How a run that came to its end went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Images answered.
    pub(crate) done: usize,
    /// Images that failed.
    pub(crate) failed: usize,
    /// Stopped before the last image.
    pub(crate) interrupted: bool,
}

impl Outcome {
    /// 0 where nothing failed, 1 where some images did, 2 where all did, 128 and
    /// the signal's number where the run was stopped.
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Outcome { interrupted: true, .. } => ExitCode::from(interrupt::exit_code()),
            Outcome { failed: 0, .. } => ExitCode::SUCCESS,
            Outcome { done: 0, .. } => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
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
    Output(#[from] io::Error),
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
    NoneTaken {
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
    Captioner {
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
    /// Answers cannot go where they were sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The thread that writes has ended; it says why itself.
    #[error("answers cannot be written any more")]
    Stopped,
    /// Which index is meant cannot be told.
    #[error("{message}")]
    Which {
        /// What is there.
        message: String,
        /// What to type.
        hint: String,
    },
}

impl Fault {
    /// Says what stopped the run and gives the exit code: a closed pipe is
    /// success, a build that was asked to end has its signal's, all else is 2.
    pub(crate) fn report(&self, logger: &Logger) -> ExitCode {
        match self {
            Fault::Output(error) | Fault::Rows(rows::Error::Write { source: error, .. })
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return ExitCode::SUCCESS;
            }
            _ => logger.error(self, self.hint()),
        }
        match self {
            Fault::Build(build_index::Error::Stopped { .. }) if interrupt::interrupted() => {
                ExitCode::from(interrupt::exit_code())
            }
            _ => ExitCode::from(2),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Fault::Library(error) => error.hint(),
            Fault::Build(error) => error.hint(),
            Fault::Rows(error) => error.hint(),
            Fault::Output(_) | Fault::Stopped => None,
            Fault::Refused(refused) => Some(refused.hint()),
            Fault::NoImage { .. } | Fault::NoneTaken { .. } => Some(
                "name image files, folders that hold some (below them with --recursive), or globs such as 'photos/*.jpg'".into(),
            ),
            Fault::Glob { .. } => Some("in a glob * ? and [a-z] are special".into()),
            Fault::Captioner { .. } => Some(format!(
                "a captioner is a folder that exists, a hub id owner/name, or one of {}",
                NAMES.map(|(name, _)| name).join(", ")
            )),
            Fault::Report { .. } => Some("name the page to write, such as report.html".into()),
            Fault::Which { hint, .. } => Some(hint.clone()),
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
    fn exit_codes_are_a_contract() {
        let code =
            |done, failed| format!("{:?}", Outcome { done, failed, interrupted: false }.code());
        assert_eq!(code(3, 0), format!("{:?}", ExitCode::from(0)));
        assert_eq!(code(2, 1), format!("{:?}", ExitCode::from(1)));
        assert_eq!(code(0, 3), format!("{:?}", ExitCode::from(2)));
        let stopped = Outcome { interrupted: true, ..Outcome::default() };
        assert_eq!(format!("{:?}", stopped.code()), format!("{:?}", ExitCode::from(130)));
        let logger = Logger::new(true);
        let closed = Fault::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(format!("{:?}", closed.report(&logger)), format!("{:?}", ExitCode::from(0)));
    }
}
