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
        self.line(format_args!("error: {}", on_one_line(&with_causes(error))));
        if let Some(hint) = hint {
            self.line(format_args!("hint: {hint}"));
        }
    }

    fn line(&self, line: impl Display) {
        // Nobody is left to be told that stderr is closed.
        self.bars.suspend(|| {
            let _ = writeln!(stderr().lock(), "{}", shown(&line.to_string()));
        });
    }
}

/// `text` for a terminal: what would move its cursor or colour it, names and labels may
/// hold it, is spelled out; lines and tabs stay.
pub(crate) fn shown(text: &str) -> String {
    spelled(text, |c| c.is_control() && c != '\n' && c != '\t')
}

/// The same on one line: no name can begin another.
pub(crate) fn on_one_line(text: &str) -> String {
    spelled(text, char::is_control)
}

fn spelled(text: &str, which: impl Fn(char) -> bool) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars() {
        match which(c) {
            true => spelled.extend(c.escape_default()),
            false => spelled.push(c),
        }
    }
    spelled
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_terminal_is_spelled_out() {
        assert_eq!(shown("a\u{1b}[31m\r\n\té\u{9b}"), "a\\u{1b}[31m\\r\n\té\\u{9b}");
        assert_eq!(on_one_line("a\nerror: b\t"), "a\\nerror: b\\t");
    }
}
