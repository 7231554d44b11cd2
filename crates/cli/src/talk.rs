//! Talk: what is said on stderr, so that stdout holds data alone.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where notes and errors go.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    quiet: bool,
    /// All bars, one below the other; lines are written above them.
    bars: MultiProgress,
}

impl Talk {
    /// `quiet` leaves the errors.
    pub(crate) fn new(quiet: bool) -> Self {
        Talk { quiet, bars: MultiProgress::new() }
    }

    /// Whether notes are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person sees it as it happens.
    pub(crate) fn is_live(&self) -> bool {
        !self.quiet && stderr().is_terminal()
    }

    /// One line that a person may want to know.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            self.line(line);
        }
    }

    /// A bar of `len` steps where a person is looking, else a hidden one.
    pub(crate) fn bar(&self, len: u64, template: &str) -> ProgressBar {
        if !self.is_live() {
            return ProgressBar::hidden();
        }
        let bar = self.bars.add(ProgressBar::new(len));
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar, // without the words
        }
    }

    /// What went wrong, its causes, and what to do about it.
    pub(crate) fn error(&self, error: &dyn std::error::Error, hint: Option<String>) {
        self.line(format_args!("error: {}", with_causes(error)));
        if let Some(hint) = hint {
            self.line(format_args!("hint: {hint}"));
        }
    }

    fn line(&self, line: impl Display) {
        // Nobody is left to be told that stderr is closed.
        self.bars.suspend(|| {
            let _ = writeln!(stderr().lock(), "{line}");
        });
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        line += &format!(": {deeper}");
        cause = deeper.source();
    }
    line
}
