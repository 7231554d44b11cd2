//! Detection of the format.

use interrogate::input::Text;
use interrogate::{Error, Result, limits};
use serde::de::IgnoredAny;

use super::Format;
use super::csv::{IMAGE, PROMPT};
use crate::records::{column, fields};

/// Returns the format that the first line that is not blank shows: JSON lines for a JSON object,
/// CSV for a header with an image and a prompt, else plain lines. A line such as `{red, blue}` is
/// plain.
///
/// # Errors
/// [`Error::Mismatch`] for an ambiguous file: Parquet, a JSON document of several lines, a
/// truncated JSON object, a header without an image.
pub(super) fn format(text: &mut Text<'_>) -> Result<Format> {
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
        let names = fields(first, delimiter);
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
