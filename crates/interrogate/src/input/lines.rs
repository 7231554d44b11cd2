//! Reads a text line by line: the rules for every list of lines.
//!
//! A line ends as [`LineEnding`] says; the last line may end with the text. A line
//! longer than its limit is truncated while it is read, so that a stream without line
//! ends uses bounded memory. The caller decides what a blank line or a comment means.

use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};

use super::Text;
use super::text::read_error;
use crate::{Error, Result};

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// LF, CRLF or CR, as in Python's text mode. For texts.
    Any,
    /// LF or CRLF. For file names, which may contain a CR.
    Newline,
    /// NUL. For file names, which may contain every other byte.
    Nul,
}

/// A reader of lines. Holds one line in memory.
#[derive(Debug)]
pub struct Lines<'a> {
    text: Text<'a>,
    ends: LineEnding,
    longest: usize,
    line: Vec<u8>,
    number: usize,
    /// What the last byte that was read belongs to.
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line.
    Start,
    /// After a CR, which an LF may follow.
    Cr,
    /// Within a line that was truncated.
    Truncated,
}

/// A line without its line ending.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The line's number, from 1.
    pub number: usize,
    bytes: &'a [u8],
    path: &'a Path,
    longest: usize,
}

impl<'a> Text<'a> {
    /// Returns a reader of its lines, each of at most `longest` bytes.
    pub fn lines(self, ends: LineEnding, longest: usize) -> Lines<'a> {
        Lines { text: self, ends, longest, line: Vec::new(), number: 0, state: State::Start }
    }
}

impl Lines<'_> {
    /// Reads the next line; returns `None` after the last.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] for a stream that is too long or holds invalid
    /// UTF-16.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        if self.state == State::Truncated {
            while self.read_part(0)? == Some(State::Truncated) {}
        }
        self.line.clear();
        let mut found = false;
        // One byte above the limit shows that the line is too long. In a CRLF the CR does
        // not count.
        let extra = if self.ends == LineEnding::Newline { 2 } else { 1 };
        let most = self.longest.saturating_add(extra);
        loop {
            match self.read_part(most - self.line.len())? {
                None if !found => return Ok(None),
                Some(State::Truncated) if self.line.len() < most => found = true,
                _ => break,
            }
        }
        if self.ends == LineEnding::Newline
            && self.state != State::Truncated
            && self.line.ends_with(b"\r")
        {
            self.line.pop();
        }
        self.number += 1;
        let Lines { number, longest, .. } = *self;
        Ok(Some(Line { number, bytes: &self.line, path: &self.text.path, longest }))
    }

    /// Reads a part of a line and keeps at most `room` of its bytes, or skips it if 0.
    /// Returns `Truncated` if the line may continue, `None` at the end of the text.
    fn read_part(&mut self, room: usize) -> Result<Option<State>> {
        let Lines { text, ends, line, state, .. } = self;
        let bytes = loop {
            match text.stream.fill_buf() {
                Ok(_) => break text.stream.fill_buf(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let bytes = bytes.map_err(|error| read_error(&text.path, text.limit, error))?;
        if bytes.is_empty() {
            *state = State::Start;
            return Ok(None);
        }
        if *state == State::Cr {
            *state = State::Start;
            if bytes[0] == b'\n' {
                text.stream.consume(1);
                return self.read_part(room);
            }
        }
        let end = bytes.iter().position(|&byte| ends.matches(byte));
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let kept = if room == 0 { part.len() } else { part.len().min(room) };
        if room > 0 {
            line.extend_from_slice(&part[..kept]);
        }
        let (read, next) = match end {
            Some(end) if kept == end && bytes[end] == b'\r' => (end + 1, State::Cr),
            Some(end) if kept == end => (end + 1, State::Start),
            _ => (kept, State::Truncated),
        };
        text.stream.consume(read);
        *state = next;
        Ok(Some(next))
    }
}

impl LineEnding {
    /// Whether `byte` ends a line.
    fn matches(self, byte: u8) -> bool {
        match self {
            LineEnding::Any => matches!(byte, b'\n' | b'\r'),
            LineEnding::Newline => byte == b'\n',
            LineEnding::Nul => byte == 0,
        }
    }
}

impl<'a> Line<'a> {
    /// Returns the bytes, in any encoding.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a line that is too long.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        if self.is_truncated() {
            let expected = format!("at most {} bytes", self.longest);
            return Err(self.mismatch("length", &expected, "more"));
        }
        Ok(self.bytes)
    }

    /// Returns the line as text.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a line that is too long, is not UTF-8 or contains a NUL.
    pub fn text(&self) -> Result<&'a str> {
        let text = std::str::from_utf8(self.bytes()?);
        let text = text.map_err(|error| self.mismatch("text", "UTF-8", error))?;
        if text.contains('\0') { Err(self.mismatch("text", "no NUL", "one")) } else { Ok(text) }
    }

    /// Returns the bytes; of a line that is too long, those within the limit.
    pub fn prefix(&self) -> &'a [u8] {
        &self.bytes[..self.bytes.len().min(self.longest)]
    }

    /// Whether the line is too long and was truncated.
    pub fn is_truncated(&self) -> bool {
        self.bytes.len() > self.longest
    }

    /// Returns the error for a line that contains `found` instead of `expected`.
    pub fn mismatch(&self, what: &'static str, expected: &str, found: impl ToString) -> Error {
        Error::mismatch(path_with_line(self.path, self.number), what, expected, found)
    }
}

/// Returns the path and line number as error messages write them: `deny.txt:2`.
pub fn path_with_line(path: &Path, line: usize) -> PathBuf {
    format!("{}:{line}", path.display()).into()
}

#[cfg(test)]
mod tests;
