//! `interrogate config`: the defaults of options, and the path of their file.

use std::path::PathBuf;

use serde::Serialize;

use crate::args::{Format, ShowConfig};
use crate::config::Config;
use crate::error::CliError;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// The configuration as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    path: &'a PathBuf,
    exists: bool,
    #[serde(rename = "model")]
    model: Option<&'a str>,
    #[serde(rename = "caption-model")]
    caption_model: Option<&'a str>,
}

/// Prints the path and the values.
pub(crate) fn run(args: &ShowConfig) -> Result<Outcome, CliError> {
    let path = Config::path()?;
    let config = Config::open()?;
    let exists = path.exists();
    let mut output = Stdout::new();
    if args.format.or(Format::Text) == Format::Jsonl {
        let (model, caption_model) = (config.model.as_deref(), config.caption_model.as_deref());
        output.json(&Row { path: &path, exists, model, caption_model })?;
        return Ok(Outcome::default());
    }
    let missing = if exists { "" } else { " (no such file; `interrogate setup` writes it)" };
    output.line(format_args!("{}{missing}", path.display()))?;
    for (key, value) in config.values() {
        output.line(format_args!("  {key}: {}", value.unwrap_or("not set")))?;
    }
    Ok(Outcome::default())
}
