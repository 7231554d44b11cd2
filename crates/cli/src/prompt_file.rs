//! A file of prompts: JSON lines, CSV or plain lines, told apart by what it holds.
//!
//! Takes what `prompt` and `execute` write, with a byte-order mark, blank lines or in
//! UTF-16 as editors and spreadsheets save it again. What cannot be told is refused.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::rc::Rc;

use csv::{ReaderBuilder, StringRecord};
use interrogate::input::{Line, LineEnding, Text, path_with_line};
use interrogate::{Error, Result, limits};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How a file holds its prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A prompt a line.
    Lines,
    /// A JSON object a line.
    Jsonl,
    /// A header and records, with this byte between the fields.
    Csv(u8),
}

/// A prompt, and the name of its image where there is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) image: Option<String>,
    pub(crate) prompt: String,
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompts {
    pub(crate) records: Vec<Record>,
    /// Records of failed images: where, and why they failed.
    pub(crate) failed: Vec<(PathBuf, String)>,
    /// Blank lines between plain ones.
    pub(crate) blank: usize,
}

/// A record of `interrogate prompt` or `execute`, as far as it matters.
#[derive(Deserialize)]
struct Fields {
    #[serde(alias = "id")]
    image: Option<String>,
    #[serde(alias = "text")]
    prompt: Option<String>,
    error: Option<String>,
}

/// Names of the columns, the second as `execute` and older files have it.
const IMAGE: [&str; 2] = ["image", "id"];
const PROMPT: [&str; 2] = ["prompt", "text"];

/// The prompts of `text`, which is in `format`, or in that which its first line shows
/// ([`told`]).
///
/// # Errors
/// [`Error::Mismatch`] with the line of what is no prompt, those of [`Text`].
pub(crate) fn read(mut text: Text<'_>, format: Option<Format>) -> Result<Prompts> {
    let (format, told) = match format {
        Some(format) => (format, false),
        None => (self::told(&mut text)?, true),
    };
    match format {
        Format::Lines => lines(text, told),
        Format::Jsonl => jsonl(text),
        Format::Csv(delimiter) => csv(text, delimiter),
    }
}

/// The format that the first line with anything on it shows: JSON lines where it is a
/// JSON object, CSV where it is a header with an image and a prompt, else plain lines.
/// A line like `{red, blue}` is plain.
///
/// # Errors
/// [`Error::Mismatch`] for Parquet, a JSON document of several lines, a JSON object
/// that breaks off, and a header without an image: each may be meant otherwise.
pub(crate) fn told(text: &mut Text<'_>) -> Result<Format> {
    let path = text.path().to_owned();
    let refuse = |found| {
        let expected = "JSON lines, CSV with image and prompt, or plain lines";
        Err(Error::mismatch(&path, "format", expected, found))
    };
    let head = text.head(limits::RECORD)?;
    if head.starts_with(b"PAR1") {
        return refuse("Parquet");
    }
    let mut lines = head.split(|&byte| matches!(byte, b'\n' | b'\r'));
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    let first = first.trim();
    let opens_json =
        |rest: &str| rest.trim_start().is_empty() || rest.trim_start().starts_with('"');
    if let Some(rest) = first.strip_prefix('{') {
        return match serde_json::from_str::<IgnoredAny>(first) {
            Ok(_) => Ok(Format::Jsonl),
            Err(_) if opens_json(rest) => refuse("the beginning of a JSON object"),
            Err(_) => Ok(Format::Lines),
        };
    }
    if let Some(rest) = first.strip_prefix('[').map(str::trim_start)
        && (rest.is_empty() || rest.strip_prefix('{').is_some_and(opens_json))
    {
        return refuse("a JSON array");
    }
    for delimiter in [b',', b';', b'\t'] {
        let names = names(first, delimiter);
        let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !names.iter().all(|name| is_name(&name)) || column(&names, &PROMPT).is_none() {
            continue;
        }
        return match column(&names, &IMAGE) {
            Some(_) => Ok(Format::Csv(delimiter)),
            None => refuse("the header of a CSV without image"),
        };
    }
    Ok(Format::Lines)
}

/// The fields of a CSV's first line.
fn names(line: &str, delimiter: u8) -> StringRecord {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter);
    let mut names = StringRecord::new();
    // A line that is no CSV has no names.
    let _ = builder.from_reader(line.as_bytes()).read_record(&mut names);
    names
}

fn column(names: &StringRecord, wanted: &[&str]) -> Option<usize> {
    names.iter().position(|name| wanted.contains(&name.trim()))
}

fn lines(text: Text<'_>, told: bool) -> Result<Prompts> {
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    let mut prompts = Prompts::default();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?;
        if text.trim().is_empty() {
            prompts.blank += 1;
            continue;
        }
        let begins_json = text.trim_start().starts_with("{\"");
        if told && begins_json && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            return Err(line.mismatch("format", "plain lines as before", "a JSON object"));
        }
        prompts.records.push(Record { image: None, prompt: text.to_owned() });
    }
    Ok(prompts)
}

fn jsonl(text: Text<'_>) -> Result<Prompts> {
    let path = text.path().to_owned();
    let mut lines = text.lines(LineEnding::Any, limits::RECORD);
    let mut prompts = Prompts::default();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?.trim();
        if text.is_empty() {
            continue;
        }
        let wrong =
            |found: String| line.mismatch("record", "a JSON object with image and prompt", found);
        let fields = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match fields {
            Fields { error: Some(error), .. } => {
                prompts.failed.push((path_with_line(&path, line.number), error));
            }
            Fields { image: Some(image), prompt: Some(prompt), .. } => {
                prompts.records.push(record(Some(image), prompt, &line)?);
            }
            Fields { image: None, .. } => return Err(wrong("no image".to_owned())),
            Fields { prompt: None, .. } => return Err(wrong("no prompt".to_owned())),
        }
    }
    Ok(prompts)
}

fn record(image: Option<String>, prompt: String, line: &Line<'_>) -> Result<Record> {
    if prompt.len() > limits::LINE {
        let expected = format!("at most {} bytes", limits::LINE);
        return Err(line.mismatch("prompt", &expected, prompt.len()));
    }
    Ok(Record { image, prompt })
}

fn csv(text: Text<'_>, delimiter: u8) -> Result<Prompts> {
    let path = text.path().to_owned();
    let meter = Rc::new(RefCell::new(Meter::default()));
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter);
    let mut reader = builder.from_reader(Metered { text, meter: meter.clone() });
    let mut record = StringRecord::new();
    let mut columns = None;
    let mut prompts = Prompts::default();
    loop {
        meter.borrow_mut().left = limits::RECORD;
        let next = reader.read_record(&mut record);
        let end = meter.borrow_mut().pass(reader.position().byte());
        let next = next.map_err(|error| broken(&path, end, error))?;
        if !next {
            break;
        }
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let within = record.iter().map(|field| field.matches('\n').count()).sum::<usize>();
        let here = path_with_line(&path, end.saturating_sub(within));
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
        if prompt.len() > limits::LINE {
            let expected = format!("at most {} bytes", limits::LINE);
            return Err(Error::mismatch(here, "prompt", expected, prompt.len()));
        }
        let image = field(image).filter(|image| !image.is_empty()).map(str::to_owned);
        prompts.records.push(Record { image, prompt: prompt.to_owned() });
    }
    Ok(prompts)
}

/// Why a CSV could not be read on in the record that ends on `line`.
fn broken(path: &std::path::Path, line: usize, error: csv::Error) -> Error {
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

/// What was read of a text: how much more may be, and where its lines end. The
/// reader's own count of lines is one behind where they end in CRLF.
#[derive(Default)]
struct Meter {
    left: usize,
    read: u64,
    /// Line ends that no record has passed yet.
    ahead: VecDeque<u64>,
    passed: usize,
}

impl Meter {
    /// The line, from 1 on, of the record that ends before byte `end`. Its own line end
    /// may stand before that byte (LF) or behind it (CRLF).
    fn pass(&mut self, end: u64) -> usize {
        let mut last = None;
        while let Some(at) = self.ahead.pop_front_if(|at| *at < end) {
            self.passed += 1;
            last = Some(at);
        }
        self.passed + usize::from(last.is_none_or(|at| at + 1 != end))
    }
}

/// A text of which only so much is given until more is allowed: a quote that is never
/// closed does not take the whole stream.
struct Metered<'a> {
    text: Text<'a>,
    meter: Rc<RefCell<Meter>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut meter = self.meter.borrow_mut();
        let most = buffer.len().min(meter.left);
        if most == 0 && !buffer.is_empty() {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let read = self.text.read(&mut buffer[..most])?;
        let start = meter.read;
        let ends = (start..).zip(&buffer[..read]).filter(|(_, byte)| **byte == b'\n');
        meter.ahead.extend(ends.map(|(at, _)| at));
        meter.left -= read;
        meter.read += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
