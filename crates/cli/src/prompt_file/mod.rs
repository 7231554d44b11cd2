//! Files of prompts: JSON lines, CSV or plain lines, detected from the first line.
//!
//! Reads what `prompt` and `execute` write, also with a byte-order mark, with blank lines, or in
//! UTF-16, as editors and spreadsheets save it. An ambiguous file is refused.

mod csv;
mod detect;
mod lines;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use interrogate::input::Text;
use interrogate::{Error, Result, limits};

/// The format of a file of prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One prompt per line.
    Lines,
    /// One JSON object per line.
    Jsonl,
    /// A header and records; the fields are separated by this byte.
    Csv(u8),
}

/// A prompt, and the name of its image where it has one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) image: Option<String>,
    pub(crate) prompt: String,
}

/// The contents of a file of prompts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompts {
    pub(crate) records: Vec<Record>,
    /// The failed images: the line of the record, and its error.
    pub(crate) failed: Vec<(PathBuf, String)>,
    /// The number of blank lines among plain ones.
    pub(crate) blank: usize,
}

/// Reads the prompts of `text`, in `format`, or in the format that [`detect::format`] returns.
///
/// # Errors
/// [`Error::Mismatch`] with the line that is not a prompt, and the errors of [`Text`].
pub(crate) fn read(mut text: Text<'_>, format: Option<Format>) -> Result<Prompts> {
    let (format, detected) = match format {
        Some(format) => (format, false),
        None => (detect::format(&mut text)?, true),
    };
    match format {
        Format::Lines => lines::plain(text, detected),
        Format::Jsonl => lines::json(text),
        Format::Csv(delimiter) => csv::read(text, delimiter),
    }
}

impl Record {
    /// # Errors
    /// [`Error::Mismatch`] for a prompt of more than [`limits::LINE`] bytes. `path` has its line.
    fn new(image: Option<String>, prompt: String, path: PathBuf) -> Result<Self> {
        if prompt.len() > limits::LINE {
            let expected = format!("at most {} bytes", limits::LINE);
            Err(Error::mismatch(path, "prompt", expected, prompt.len()))
        } else {
            Ok(Record { image, prompt })
        }
    }
}
