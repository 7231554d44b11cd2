//! Lines on standard output, for commands that do not write records.

use std::fmt::Display;
use std::io::{IsTerminal, StdoutLock, Write, stdout};

use interrogate::index::Match;
use serde::Serialize;

use super::error::{OutputError, Result};
use crate::escape;

/// Standard output, flushed after each line.
pub(crate) struct Stdout {
    out: StdoutLock<'static>,
    /// Whether it is a terminal: characters that JSON leaves unescaped are escaped too.
    terminal: bool,
}

impl Stdout {
    /// Locks standard output for the run.
    pub(crate) fn new() -> Self {
        Stdout { out: stdout().lock(), terminal: stdout().is_terminal() }
    }

    /// Prints a line of text, control characters other than tabs escaped.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        self.print(&escape::columns(&line.to_string()))
    }

    /// Prints a JSON object.
    pub(crate) fn json(&mut self, row: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(row)?;
        self.print(&if self.terminal { escape::text(&line) } else { line })
    }

    fn print(&mut self, line: &str) -> Result<()> {
        let result = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        result.map_err(OutputError::Stdout)
    }
}

/// A match as a JSON object.
#[derive(Serialize)]
pub(crate) struct MatchJson<'a> {
    /// The table of the label, where several are ranked together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<&'a str>,
    pub(crate) label: &'a str,
    pub(crate) score: f32,
    pub(crate) row: usize,
    /// The probability of the label among all labels of the ranked tables (`--probabilities`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f32>,
}

impl<'a> From<&Match<'a>> for MatchJson<'a> {
    fn from(&Match { label, score, row, .. }: &Match<'a>) -> Self {
        MatchJson { table: None, label, score, row, probability: None }
    }
}
