//! Records of CSV and TSV, read in bounded memory, with the lines they are on.

mod meter;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{Reader, ReaderBuilder, StringRecord};
use interrogate::input::{Text, path_with_line};
use interrogate::{Error, Result, limits};

use meter::{Meter, Metered};

/// The records of a text, whose fields a delimiter separates.
pub(crate) struct Records<'a> {
    path: PathBuf,
    meter: Rc<RefCell<Meter>>,
    reader: Reader<Metered<'a>>,
    record: StringRecord,
}

impl<'a> Records<'a> {
    pub(crate) fn new(text: Text<'a>, delimiter: u8) -> Self {
        let path = text.path().to_owned();
        let meter = Rc::new(RefCell::new(Meter::default()));
        let reader = builder(delimiter).from_reader(Metered { text, meter: meter.clone() });
        Records { path, meter, reader, record: StringRecord::new() }
    }

    /// Returns the next record that is not blank, and the path with the line that it begins
    /// on.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] for a record of more than [`limits::RECORD`] bytes
    /// and for other text than UTF-8.
    pub(crate) fn next_record(&mut self) -> Result<Option<(&StringRecord, PathBuf)>> {
        loop {
            self.meter.borrow_mut().left = limits::RECORD;
            let next = self.reader.read_record(&mut self.record);
            let end = self.meter.borrow_mut().pass(self.reader.position().byte());
            if !next.map_err(|error| invalid(&self.path, end, error))? {
                return Ok(None);
            }
            if self.record.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            let breaks = self.record.iter().map(|field| field.matches('\n').count()).sum::<usize>();
            let here = path_with_line(&self.path, end.saturating_sub(breaks));
            return Ok(Some((&self.record, here)));
        }
    }
}

/// Returns the fields of a line; none where it is not CSV.
pub(crate) fn fields(line: &str, delimiter: u8) -> StringRecord {
    let mut fields = StringRecord::new();
    let _ = builder(delimiter).from_reader(line.as_bytes()).read_record(&mut fields);
    fields
}

/// Returns the number of the first column with one of `names`.
pub(crate) fn column(header: &StringRecord, names: &[&str]) -> Option<usize> {
    header.iter().position(|name| names.contains(&name.trim()))
}

fn builder(delimiter: u8) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter);
    builder
}

/// Converts an error of the reader in the record that ends on `line`.
fn invalid(path: &Path, line: usize, error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::FileTooLarge => {
            let expected = format!("at most {} bytes a record", limits::RECORD);
            Error::mismatch(path, "size", expected, "more")
        }
        csv::ErrorKind::Io(error) if error.kind() != ErrorKind::InvalidData => {
            Error::io("read", path)(error)
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            Error::mismatch(path_with_line(path, line), "text", "UTF-8", err)
        }
        _ => Error::mismatch(path, "text", "CSV in UTF-8 or UTF-16", "another"),
    }
}
