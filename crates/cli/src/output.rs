//! Data: the lines on stdout, each flushed as it ends.

use std::io::{self, IsTerminal, StdoutLock, Write, stdout};

use interrogate::index::Match;
use serde::Serialize;

use crate::escape;

/// Standard output, a line at a time.
pub(crate) struct Output {
    out: StdoutLock<'static>,
    /// A person reads it: what no escape of JSON spells out is spelled out too.
    terminal: bool,
}

impl Output {
    /// Takes standard output for the run.
    pub(crate) fn new() -> Self {
        Output { out: stdout().lock(), terminal: stdout().is_terminal() }
    }

    /// One line of text for a person, spelled out but for its tabs.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{}", escape::columns(&line.to_string()))?;
        self.out.flush()
    }

    /// One JSON object.
    pub(crate) fn json(&mut self, row: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(row)?;
        let line = if self.terminal { escape::text(&line) } else { line };
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

/// A match as a JSON object.
#[derive(Serialize)]
pub(crate) struct Found<'a> {
    /// Where several tables are ranked as one: the one it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<&'a str>,
    pub(crate) label: &'a str,
    pub(crate) score: f32,
    pub(crate) row: usize,
}

impl<'a> From<&Match<'a>> for Found<'a> {
    fn from(found: &Match<'a>) -> Self {
        let &Match { label, score, row, .. } = found;
        Found { table: None, label, score, row }
    }
}
