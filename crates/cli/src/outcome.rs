//! The outcome of a run and its exit code.

use std::process::ExitCode;

use crate::interrupt;

/// The outcome of a run that did not end in an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The number of images with a record.
    pub(crate) done: usize,
    /// The number of images that failed.
    pub(crate) failed: usize,
    /// Whether a signal stopped the run before the last image.
    pub(crate) interrupted: bool,
}

impl Outcome {
    /// Returns the exit code: 0 where no image failed, 1 where some did, 2 where all did, and 128
    /// plus the signal's number where the run was interrupted.
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Outcome { interrupted: true, .. } => ExitCode::from(interrupt::exit_code()),
            Outcome { failed: 0, .. } => ExitCode::SUCCESS,
            Outcome { done: 0, .. } => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_0_1_2_and_130() {
        let code =
            |done, failed| format!("{:?}", Outcome { done, failed, interrupted: false }.code());
        assert_eq!(code(3, 0), format!("{:?}", ExitCode::from(0)));
        assert_eq!(code(2, 1), format!("{:?}", ExitCode::from(1)));
        assert_eq!(code(0, 3), format!("{:?}", ExitCode::from(2)));
        let interrupted = Outcome { interrupted: true, ..Outcome::default() };
        assert_eq!(format!("{:?}", interrupted.code()), format!("{:?}", ExitCode::from(130)));
    }
}
