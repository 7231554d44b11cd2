//! CSV with a header.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use csv::{ReaderBuilder, StringRecord};
use interrogate::input::{Text, path_with_line};
use interrogate::{Error, Result, limits};

use super::meter::{Meter, Metered};
use super::{Prompts, Record};

/// The names of the columns; the second of each is that of `execute` and of older versions.
pub(super) const IMAGE: [&str; 2] = ["image", "id"];
pub(super) const PROMPT: [&str; 2] = ["prompt", "text"];

/// Reads a header and records. The column of the image may be missing.
pub(super) fn read(text: Text<'_>, delimiter: u8) -> Result<Prompts> {
    let path = text.path().to_owned();
    let meter = Rc::new(RefCell::new(Meter::default()));
    let mut reader = builder(delimiter).from_reader(Metered { text, meter: meter.clone() });
    let mut record = StringRecord::new();
    let mut columns = None;
    let mut prompts = Prompts::default();
    loop {
        meter.borrow_mut().left = limits::RECORD;
        let next = reader.read_record(&mut record);
        let end = meter.borrow_mut().pass(reader.position().byte());
        let next = next.map_err(|error| invalid(&path, end, error))?;
        if !next {
            break;
        }
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let breaks = record.iter().map(|field| field.matches('\n').count()).sum::<usize>();
        let here = path_with_line(&path, end.saturating_sub(breaks));
        let Some((image, prompt, error)) = columns else {
            let Some(prompt) = column(&record, &PROMPT) else {
                let expected = "a header with image and prompt";
                return Err(Error::mismatch(here, "record", expected, "none"));
            };
            columns = Some((column(&record, &IMAGE), prompt, column(&record, &["error"])));
            continue;
        };
        let field = |column: Option<usize>| column.and_then(|column| record.get(column));
        if let Some(error) = field(error).filter(|error| !error.is_empty()) {
            prompts.failed.push((here, error.to_owned()));
            continue;
        }
        let Some(prompt) = field(Some(prompt)) else {
            let expected = format!("{} fields or more", prompt + 1);
            return Err(Error::mismatch(here, "record", expected, record.len()));
        };
        let image = field(image).filter(|image| !image.is_empty()).map(str::to_owned);
        prompts.records.push(Record::new(image, prompt.to_owned(), here)?);
    }
    Ok(prompts)
}

/// Returns the fields of a line; none where it is not CSV.
pub(super) fn fields(line: &str, delimiter: u8) -> StringRecord {
    let mut fields = StringRecord::new();
    let _ = builder(delimiter).from_reader(line.as_bytes()).read_record(&mut fields);
    fields
}

/// Returns the number of the first column with one of `names`.
pub(super) fn column(header: &StringRecord, names: &[&str]) -> Option<usize> {
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
