//! The outcome of a run and its exit code.

use std::process::ExitCode;

use crate::interrupt;

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
            Outcome { interrupted: true, .. } => ExitCode::from(interrupt::code()),
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
    fn exit_codes_are_a_contract() {
        let code =
            |done, failed| format!("{:?}", Outcome { done, failed, interrupted: false }.code());
        assert_eq!(code(3, 0), format!("{:?}", ExitCode::from(0)));
        assert_eq!(code(2, 1), format!("{:?}", ExitCode::from(1)));
        assert_eq!(code(0, 3), format!("{:?}", ExitCode::from(2)));
        let stopped = Outcome { interrupted: true, ..Outcome::default() };
        assert_eq!(format!("{:?}", stopped.code()), format!("{:?}", ExitCode::from(130)));
    }
}
