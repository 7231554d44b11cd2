//! Logger: what is said on stderr, so that stdout holds data alone.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};

use build_index::escape::{Shown, of_panic};
pub(crate) use build_index::escape::{in_columns, on_one_line, shown};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where notes and errors go.
#[derive(Clone, Debug)]
pub(crate) struct Logger {
    quiet: bool,
    /// All bars, one below the other; lines are written above them.
    bars: MultiProgress,
}

impl Logger {
    /// `quiet` leaves the errors.
    pub(crate) fn new(quiet: bool) -> Self {
        Logger { quiet, bars: MultiProgress::new() }
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
        self.lines(on_one_line(&line.to_string()));
    }

    /// The same in several lines.
    pub(crate) fn lines(&self, lines: impl Display) {
        if !self.quiet {
            self.line(lines);
        }
    }

    /// A bar of `len` steps where a person is looking, else a hidden one.
    pub(crate) fn bar(&self, len: u64, template: &str) -> Bar {
        if !self.is_live() {
            return Bar::hidden();
        }
        let bar = self.bars.add(ProgressBar::new(len));
        Bar(match ProgressStyle::with_template(&on_one_line(template)) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar, // without the words
        })
    }

    /// What went wrong, its causes, and what to do about it.
    pub(crate) fn error(&self, error: &dyn std::error::Error, hint: Option<String>) {
        self.line(format_args!("error: {}", on_one_line(&with_causes(error))));
        if let Some(hint) = hint {
            self.line(format_args!("hint: {}", on_one_line(&hint)));
        }
    }

    fn line(&self, line: impl Display) {
        // Nobody is left to be told that stderr is closed.
        self.bars.suspend(|| {
            let _ = writeln!(stderr().lock(), "{}", shown(&line.to_string()));
        });
    }
}

/// A bar, or none where nobody looks; its words are spelled out.
#[derive(Clone, Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// One that nobody sees.
    pub(crate) fn hidden() -> Self {
        Bar(ProgressBar::hidden())
    }

    /// It has come so far.
    pub(crate) fn set_position(&self, position: u64) {
        self.0.set_position(position);
    }

    /// It has come so much farther.
    pub(crate) fn inc(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// What is said beside it: labels and names, too.
    pub(crate) fn set_message(&self, words: impl AsRef<str>) {
        self.0.set_message(on_one_line(words.as_ref()));
    }

    /// Takes it away.
    pub(crate) fn finish_and_clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Standard output for rows of data: as they are, and spelled out on a terminal.
pub(crate) fn stdout() -> Box<dyn Write + Send> {
    match std::io::stdout().is_terminal() {
        true => Box::new(Shown(std::io::stdout())),
        false => Box::new(std::io::stdout()),
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

/// Spells out what a panic quotes.
pub(crate) fn show_panics() {
    std::panic::set_hook(Box::new(|info| {
        let _ = writeln!(stderr(), "{}", of_panic(info));
    }));
}

/// Says what is wrong with the arguments, which may hold anything, and ends.
pub(crate) fn misused(error: &clap::Error) -> ! {
    let words = error.to_string();
    match shown(&words) {
        harmless if harmless == words => error.exit(),
        harmless => {
            let _ = write!(stderr(), "{harmless}");
            #[expect(clippy::exit, reason = "nothing has begun")]
            std::process::exit(error.exit_code())
        }
    }
}
