//! CSV with a header.

use interrogate::input::Text;
use interrogate::{Error, Result};

use super::{Prompts, Record};
use crate::records::{Records, column};

/// The names of the columns; the second of each is that of `execute` and of older versions.
pub(super) const IMAGE: [&str; 2] = ["image", "id"];
pub(super) const PROMPT: [&str; 2] = ["prompt", "text"];

/// Reads a header and records. The column of the image may be missing.
pub(super) fn read(text: Text<'_>, delimiter: u8) -> Result<Prompts> {
    let mut records = Records::new(text, delimiter);
    let mut columns = None;
    let mut prompts = Prompts::default();
    while let Some((record, here)) = records.next_record()? {
        let Some((image, prompt, error)) = columns else {
            let Some(prompt) = column(record, &PROMPT) else {
                let expected = "a header with image and prompt";
                return Err(Error::mismatch(here, "record", expected, "none"));
            };
            columns = Some((column(record, &IMAGE), prompt, column(record, &["error"])));
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
