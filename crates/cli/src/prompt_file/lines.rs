//! Plain lines and JSON lines.

use interrogate::input::{LineEnding, Text, path_with_line};
use interrogate::{Result, limits};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Prompts, Record};

/// The keys of a JSON record; the aliases are those of `execute` and of older versions.
#[derive(Deserialize)]
struct Fields {
    #[serde(alias = "id")]
    image: Option<String>,
    #[serde(alias = "text")]
    prompt: Option<String>,
    error: Option<String>,
}

/// Reads a prompt per line. Where the format was `detected`, a JSON object is refused.
pub(super) fn plain(text: Text<'_>, detected: bool) -> Result<Prompts> {
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    let mut prompts = Prompts::default();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?;
        if text.trim().is_empty() {
            prompts.blank += 1;
            continue;
        }
        let opens_json = text.trim_start().starts_with("{\"");
        if detected && opens_json && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            return Err(line.mismatch("format", "a plain line", "a JSON object"));
        }
        prompts.records.push(Record { image: None, prompt: text.to_owned() });
    }
    Ok(prompts)
}

/// Reads a JSON object per line.
pub(super) fn json(text: Text<'_>) -> Result<Prompts> {
    let path = text.path().to_owned();
    let mut lines = text.lines(LineEnding::Any, limits::RECORD);
    let mut prompts = Prompts::default();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?.trim();
        if text.is_empty() {
            continue;
        }
        let invalid =
            |found: String| line.mismatch("record", "a JSON object with image and prompt", found);
        let fields = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let here = path_with_line(&path, line.number);
        match fields {
            Fields { error: Some(error), .. } => prompts.failed.push((here, error)),
            Fields { image: Some(image), prompt: Some(prompt), .. } => {
                prompts.records.push(Record::new(Some(image), prompt, here)?);
            }
            Fields { image: None, .. } => return Err(invalid("no image".to_owned())),
            Fields { prompt: None, .. } => return Err(invalid("no prompt".to_owned())),
        }
    }
    Ok(prompts)
}
