//! Rows of a CSV file as this program writes it (RFC 4180, lines ended by CRLF).
//!
//! The file is read byte by byte, so that a row may have any length. Of a row the reader keeps
//! the name of the image, and whether its last field, the error, is empty.

use std::io::{BufRead, BufReader};
use std::path::Path;

use interrogate::{Error, input, limits};

use super::super::error::{OutputError, Result};
use super::zeros::only_zeros_follow;
use super::{ExistingRows, SHOWN, unexpected};

/// Reads the file at `path`, which begins with the row `header`, its CRLF included. Memory: the
/// names of the images, each of at most [`limits::ANSWER_NAME`] bytes.
///
/// # Errors
/// [`OutputError::UnexpectedRow`] for another header, a row of another number of fields or with
/// other quotes, and where the file cannot be read.
pub(crate) fn read(path: &Path, header: &[u8]) -> Result<ExistingRows> {
    let mut file = BufReader::with_capacity(1 << 20, input::open(path)?);
    let rows = Rows {
        path,
        header,
        columns: header.iter().filter(|&&byte| byte == b',').count() + 1, // names have none
        start: header.len().max(4 * SHOWN) + 1,
        count: 0,
        existing: ExistingRows::default(),
    };
    rows.read(&mut file)
}

/// The rows so far.
struct Rows<'a> {
    path: &'a Path,
    header: &'a [u8],
    columns: usize,
    /// The number of bytes of a row's start that are kept.
    start: usize,
    /// The number of rows, the header included.
    count: usize,
    existing: ExistingRows,
}

impl Rows<'_> {
    fn read(mut self, file: &mut impl BufRead) -> Result<ExistingRows> {
        let mut row = Row::new();
        'file: loop {
            let bytes = file.fill_buf().map_err(Error::io("read", self.path))?;
            if bytes.is_empty() {
                break;
            }
            for (read, &byte) in bytes.iter().enumerate() {
                if byte == 0 {
                    file.consume(read);
                    if only_zeros_follow(self.path, file)? {
                        break 'file;
                    }
                    return Err(self.unexpected(&row, "text"));
                }
                match row.push(byte, self.columns, self.start) {
                    Step::Continue => {}
                    Step::Invalid if self.count == 0 => return Err(self.other_header(&row)),
                    Step::Invalid => {
                        return Err(self.unexpected(&row, "cells quoted as in RFC 4180"));
                    }
                    Step::End => {
                        self.add(&row)?;
                        row = Row::new();
                    }
                }
            }
            let read = bytes.len();
            file.consume(read);
            self.check_name(&row)?;
        }
        // The last row is cut short; it may be the header.
        if self.count == 0 && !self.header.starts_with(&row.start) {
            return Err(self.other_header(&row));
        }
        if row.lines_are_rows {
            Err(self.unexpected(&row, "a closing quote"))
        } else {
            Ok(self.existing)
        }
    }

    /// Adds a whole row.
    fn add(&mut self, row: &Row) -> Result<()> {
        self.check_name(row)?;
        if self.count == 0 && row.start != self.header {
            return Err(self.other_header(row));
        }
        if row.fields + 1 != self.columns {
            return Err(self.unexpected(row, &format!("{} columns", self.columns)));
        }
        let image = String::from_utf8_lossy(&row.image).into_owned();
        match self.count {
            0 => self.existing.end += row.bytes,
            _ => self.existing.add(image, row.field > 0, row.bytes),
        }
        self.count += 1;
        Ok(())
    }

    fn check_name(&self, row: &Row) -> Result<()> {
        let limit = limits::ANSWER_NAME;
        if row.image.len() > limit {
            Err(self.unexpected(row, &format!("an image's name of at most {limit} bytes")))
        } else {
            Ok(())
        }
    }

    fn other_header(&self, row: &Row) -> OutputError {
        let expected = String::from_utf8_lossy(self.header).trim_end().to_owned();
        unexpected(self.path, 1, expected, &row.start)
    }

    fn unexpected(&self, row: &Row, expected: &str) -> OutputError {
        unexpected(self.path, self.count + 1, expected.to_owned(), &row.start)
    }
}

/// A row up to the current byte.
struct Row {
    state: State,
    /// Its first bytes, to compare and for messages.
    start: Vec<u8>,
    /// Its first field.
    image: Vec<u8>,
    /// The number of fields before the current one.
    fields: usize,
    /// The number of bytes of the current field.
    field: u64,
    bytes: u64,
    /// In a quoted field: its line ends, the commas since the last, and whether one of its lines
    /// had as many commas as a row, as the lines after a missing quote have.
    lines: usize,
    commas: usize,
    lines_are_rows: bool,
}

/// The state of the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote in a quoted field: the field's end, or the first of two quotes.
    Quote,
    /// After the CR that ends a row.
    Return,
}

/// The effect of a byte.
enum Step {
    Continue,
    /// The byte ends the row.
    End,
    /// The program does not write such a row.
    Invalid,
}

impl Row {
    fn new() -> Self {
        Row {
            state: State::FieldStart,
            start: Vec::new(),
            image: Vec::new(),
            fields: 0,
            field: 0,
            bytes: 0,
            lines: 0,
            commas: 0,
            lines_are_rows: false,
        }
    }

    /// Adds the next byte of a row of `columns`. The first `keep` bytes are kept in `start`.
    fn push(&mut self, byte: u8, columns: usize, keep: usize) -> Step {
        self.bytes += 1;
        if self.start.len() < keep {
            self.start.push(byte);
        }
        self.state = match (self.state, byte) {
            (State::FieldStart, b'"') => {
                (self.lines, self.commas, self.lines_are_rows) = (0, 0, false);
                State::Quoted
            }
            (State::FieldStart | State::Unquoted | State::Quote, b',') => {
                (self.fields, self.field) = (self.fields + 1, 0);
                self.lines_are_rows = false;
                State::FieldStart
            }
            (State::FieldStart | State::Unquoted | State::Quote, b'\r') => State::Return,
            (State::FieldStart | State::Unquoted | State::Quote | State::Return, b'\n') => {
                return Step::End;
            }
            (State::Quote, b'"') => {
                self.push_content(byte);
                State::Quoted
            }
            (State::Unquoted, b'"') | (State::Return | State::Quote, _) => return Step::Invalid,
            (State::FieldStart | State::Unquoted, _) => {
                self.push_content(byte);
                State::Unquoted
            }
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => {
                self.push_content(byte);
                match byte {
                    b',' => self.commas += 1,
                    b'\n' => {
                        self.lines_are_rows |= self.lines > 0 && self.commas + 1 == columns;
                        (self.lines, self.commas) = (self.lines + 1, 0);
                    }
                    _ => {}
                }
                State::Quoted
            }
        };
        Step::Continue
    }

    /// Adds a byte of the current field's content.
    fn push_content(&mut self, byte: u8) {
        self.field += 1;
        // One byte more than the limit shows that the name is too long.
        if self.fields == 0 && self.image.len() <= limits::ANSWER_NAME {
            self.image.push(byte);
        }
    }
}
