//! Data: the lines on stdout, each flushed as it ends.

use std::io::{self, StdoutLock, Write, stdout};

use interrogate::index::Match;
use serde::Serialize;

/// Standard output, a line at a time.
pub(crate) struct Output(StdoutLock<'static>);

impl Output {
    /// Takes standard output for the run.
    pub(crate) fn new() -> Self {
        Output(stdout().lock())
    }

    /// One line of text.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.0, "{line}")?;
        self.0.flush()
    }

    /// One JSON object.
    pub(crate) fn json(&mut self, row: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.line("")
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
