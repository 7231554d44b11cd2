//! A file of CSV as this program writes it (RFC 4180, ends of lines CRLF). It is read byte
//! by byte, so that a row may have any length: of a row the name of its image is kept, and
//! whether its last cell, the error, is empty.

use std::io::{BufRead, BufReader};
use std::path::Path;

use interrogate::{Error, input, limits};

use super::{ExistingRows, SHOWN, foreign, zeros_alone};
use crate::error::CliError;

/// Where in a row the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Where a cell begins.
    Cell,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the cell's end, or the first of two.
    Quote,
    /// Behind the CR that ends a row.
    Return,
}

/// A row as far as it was read.
struct Row {
    at: At,
    /// How it begins, to be compared and shown.
    beginning: Vec<u8>,
    /// Its first cell.
    image: Vec<u8>,
    /// Cells before this one, and the bytes of this one.
    cells: usize,
    cell: u64,
    bytes: u64,
    /// Within quotes: ends of lines so far, commas since the last, and whether a line had as
    /// many as a row has. What stands behind a quote that never ends are such lines.
    lines: usize,
    commas: usize,
    lines_are_rows: bool,
}

/// What a byte does to a row.
enum Step {
    On,
    Ends,
    /// No row of this program has it there.
    Foreign,
}

/// Reads a file of CSV that begins with the row `header`, its end included. Memory: the
/// names of the images, each of at most [`limits::ANSWER_NAME`].
///
/// # Errors
/// [`OutputError::UnexpectedRow`](super::OutputError::UnexpectedRow) for another header, a row of another width
/// or one that is quoted otherwise, and where it cannot be read.
pub(crate) fn read(path: &Path, header: &[u8]) -> Result<ExistingRows, CliError> {
    let mut file = BufReader::with_capacity(1 << 20, input::open(path)?);
    let columns = header.iter().filter(|&&byte| byte == b',').count() + 1; // names hold none
    let mut standing = ExistingRows::default();
    let (mut row, mut rows) = (Row::new(), 0);
    let keep = header.len().max(4 * SHOWN) + 1;
    let not_the_header = |row: &Row| {
        let expected = String::from_utf8_lossy(header).trim_end().to_owned();
        foreign(path, 1, expected, &row.beginning)
    };
    let named = |row: &Row, number| match row.image.len() > limits::ANSWER_NAME {
        true => {
            let expected = format!("an image's name of at most {} bytes", limits::ANSWER_NAME);
            Err(foreign(path, number, expected, &row.beginning))
        }
        false => Ok(()),
    };
    'file: loop {
        let bytes = file.fill_buf().map_err(Error::io("read", path))?;
        if bytes.is_empty() {
            break;
        }
        for (read, &byte) in bytes.iter().enumerate() {
            if byte == 0 {
                file.consume(read);
                if zeros_alone(path, &mut file)? {
                    break 'file;
                }
                return Err(foreign(path, rows + 1, "text".into(), &row.beginning));
            }
            match row.step(byte, columns, keep) {
                Step::On => continue,
                Step::Foreign => {
                    if rows == 0 {
                        return Err(not_the_header(&row));
                    }
                    let expected = "cells quoted as in RFC 4180".into();
                    return Err(foreign(path, rows + 1, expected, &row.beginning));
                }
                Step::Ends => {}
            }
            rows += 1;
            named(&row, rows)?;
            if rows == 1 && row.beginning != header {
                return Err(not_the_header(&row));
            }
            if row.cells + 1 != columns {
                return Err(foreign(path, rows, format!("{columns} columns"), &row.beginning));
            }
            let image = String::from_utf8_lossy(&row.image).into_owned();
            match rows {
                1 => standing.end += row.bytes,
                _ => standing.row(image, row.cell > 0, row.bytes),
            }
            row = Row::new();
        }
        let read = bytes.len();
        file.consume(read);
        named(&row, rows + 1)?;
    }
    // What is left was cut short; so may the header have been.
    if rows == 0 && !header.starts_with(&row.beginning) {
        return Err(not_the_header(&row));
    }
    if row.lines_are_rows {
        return Err(foreign(path, rows + 1, "a quote that ends".into(), &row.beginning));
    }
    Ok(standing)
}

impl Row {
    fn new() -> Self {
        Row {
            at: At::Cell,
            beginning: Vec::new(),
            image: Vec::new(),
            cells: 0,
            cell: 0,
            bytes: 0,
            lines: 0,
            commas: 0,
            lines_are_rows: false,
        }
    }

    /// Takes the next byte of a row of `columns`, of which the first `keep` are kept.
    fn step(&mut self, byte: u8, columns: usize, keep: usize) -> Step {
        self.bytes += 1;
        if self.beginning.len() < keep {
            self.beginning.push(byte);
        }
        self.at = match (self.at, byte) {
            (At::Cell, b'"') => {
                (self.lines, self.commas, self.lines_are_rows) = (0, 0, false);
                At::Quoted
            }
            (At::Cell | At::Plain | At::Quote, b',') => {
                (self.cells, self.cell) = (self.cells + 1, 0);
                self.lines_are_rows = false;
                At::Cell
            }
            (At::Cell | At::Plain | At::Quote, b'\r') => At::Return,
            (At::Cell | At::Plain | At::Quote | At::Return, b'\n') => return Step::Ends,
            (At::Quote, b'"') => {
                self.put(byte);
                At::Quoted
            }
            (At::Plain, b'"') | (At::Return | At::Quote, _) => return Step::Foreign,
            (At::Cell | At::Plain, _) => {
                self.put(byte);
                At::Plain
            }
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) => {
                self.put(byte);
                match byte {
                    b',' => self.commas += 1,
                    b'\n' => {
                        self.lines_are_rows |= self.lines > 0 && self.commas + 1 == columns;
                        (self.lines, self.commas) = (self.lines + 1, 0);
                    }
                    _ => {}
                }
                At::Quoted
            }
        };
        Step::On
    }

    fn put(&mut self, byte: u8) {
        self.cell += 1;
        // One more than is allowed shows that it is too long.
        if self.cells == 0 && self.image.len() <= limits::ANSWER_NAME {
            self.image.push(byte);
        }
    }
}
