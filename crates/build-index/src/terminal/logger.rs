//! The logger: notes, errors and progress bars on stderr. Stdout holds data alone.

use std::error::Error;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::escape;

/// Prints messages and draws progress bars, on stderr. Clones share their bars.
#[derive(Clone, Debug)]
pub struct Logger {
    quiet: bool,
    /// All bars, one below the other; messages are printed above them.
    bars: MultiProgress,
    /// What is written here instead of to stderr.
    memory: Option<Arc<Mutex<String>>>,
}

impl Logger {
    /// Returns a logger on stderr. Where `quiet`, it prints only errors and warnings.
    pub fn new(quiet: bool) -> Self {
        Logger { quiet, bars: MultiProgress::new(), memory: None }
    }

    /// Returns a logger that draws no bars and keeps its messages for
    /// [`messages`](Self::messages): for tests.
    pub fn in_memory(quiet: bool) -> Self {
        Logger { memory: Some(Arc::default()), ..Logger::new(quiet) }
    }

    /// The messages of a logger [in memory](Self::in_memory); empty for one on stderr.
    pub fn messages(&self) -> String {
        let memory = self.memory.as_ref();
        memory.map_or_else(String::new, |text| {
            text.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    /// Whether notes are left out.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether bars are drawn: stderr is a terminal and the logger is not quiet.
    pub fn is_live(&self) -> bool {
        !self.quiet && self.memory.is_none() && stderr().is_terminal()
    }

    /// Prints a note of one line.
    pub fn note(&self, line: impl Display) {
        self.lines(escape::line(&line.to_string()));
    }

    /// Prints a note of several lines.
    pub fn lines(&self, lines: impl Display) {
        if !self.quiet {
            self.print(lines);
        }
    }

    /// Prints a warning of one line, also where the logger is quiet.
    pub fn warn(&self, line: impl Display) {
        self.print(escape::line(&line.to_string()));
    }

    /// Prints an error with its causes, and what to try next:
    ///
    /// ```text
    /// error: cannot read dicts: No such file or directory (os error 2)
    /// hint: check the spelling; relative paths start at the working folder
    /// ```
    pub fn error(&self, error: &dyn Error, hint: Option<String>) {
        self.print(format_args!("error: {}", escape::line(&with_causes(error))));
        if let Some(hint) = hint {
            self.print(format_args!("hint: {}", escape::line(&hint)));
        }
    }

    /// Returns a bar of `len` steps, drawn by `template`, as [indicatif] has them. The
    /// bar is hidden unless the logger [is live](Self::is_live).
    pub fn bar(&self, len: u64, template: &str) -> Bar {
        if !self.is_live() {
            return Bar::hidden();
        }
        let bar = self.bars.add(ProgressBar::new(len));
        Bar(match ProgressStyle::with_template(&escape::line(template)) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar, // the default style
        })
    }

    fn print(&self, lines: impl Display) {
        let lines = escape::text(&lines.to_string());
        match &self.memory {
            Some(text) => {
                *text.lock().unwrap_or_else(PoisonError::into_inner) += &(lines + "\n");
            }
            // An error is ignored: there is no other place to report it.
            None => self.bars.suspend(|| _ = writeln!(stderr().lock(), "{lines}")),
        }
    }
}

/// A progress bar, maybe hidden. Its message is escaped.
#[derive(Clone, Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Returns a bar that is never drawn.
    pub fn hidden() -> Self {
        Bar(ProgressBar::hidden())
    }

    /// Sets the number of steps.
    pub fn set_len(&self, len: u64) {
        self.0.set_length(len);
    }

    /// Sets the number of steps done.
    pub fn set_position(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Adds to the number of steps done.
    pub fn inc(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// Sets the template's `{msg}`.
    pub fn set_message(&self, message: impl AsRef<str>) {
        self.0.set_message(escape::line(message.as_ref()));
    }

    /// Removes the bar from the terminal.
    pub fn finish_and_clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Returns standard output for rows of data: escaped where it is a terminal.
pub fn stdout() -> Box<dyn Write + Send> {
    if std::io::stdout().is_terminal() {
        Box::new(escape::Writer(std::io::stdout()))
    } else {
        Box::new(std::io::stdout())
    }
}

/// Formats an error and its causes in one line, separated by `: `.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn error_is_printed_with_causes_and_hint() {
        let denied = io::Error::new(io::ErrorKind::PermissionDenied, "denied");
        let error = crate::Error::from(interrogate::Error::io("open", "x")(denied));
        let logger = Logger::in_memory(true);
        logger.error(&error, error.hint());
        let hint = "you lack the permission; choose another folder or change its mode";
        assert_eq!(logger.messages(), format!("error: cannot open x: denied\nhint: {hint}\n"));
    }

    #[test]
    fn names_in_errors_are_escaped_and_start_no_line() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "gone\nhint: run this");
        let error = interrogate::Error::io("open", "a\nerror: \u{1b}[2J.txt")(missing);
        let logger = Logger::in_memory(false);
        logger.error(&error, Some("see \u{9b}2J".into()));
        assert_eq!(
            logger.messages(),
            "error: cannot open a\\nerror: \\u{1b}[2J.txt: gone\\nhint: run this\nhint: see \\u{9b}2J\n"
        );
    }

    #[test]
    fn quiet_logger_prints_warnings_and_no_notes() {
        let logger = Logger::in_memory(true);
        logger.note("a");
        logger.lines("b\nc");
        logger.warn("d\ne");
        assert_eq!(logger.messages(), "d\\ne\n");
    }
}
