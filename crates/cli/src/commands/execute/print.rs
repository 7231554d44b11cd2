//! The output of one batch.

use build_index::terminal::library_hint;
use interrogate::pipeline::{BatchResult, TaskOutput};

use super::row::{Failed, Label, Row};
use crate::args::Format;
use crate::error::CliError;
use crate::logger::{self, Logger};
use crate::output::Stdout;

/// Prints the results of one batch.
pub(super) fn print(
    output: &mut Stdout,
    format: Format,
    result: &BatchResult,
) -> Result<(), CliError> {
    if let TaskOutput::Labels(labels) = &result.output {
        for label in labels {
            match format {
                Format::Jsonl => output.json(&Label { label })?,
                Format::Text => output.line(label)?,
            }
        }
        return Ok(());
    }
    for (at, id) in result.ids.iter().enumerate() {
        let row = Row::new(id, &result.output, at);
        match format {
            Format::Jsonl => output.json(&row)?,
            Format::Text => output.line(row.line())?,
        }
    }
    Ok(())
}

/// Logs the failed images of one batch, and prints them as JSON.
pub(super) fn print_failed(
    output: &mut Stdout,
    format: Format,
    result: &BatchResult,
    logger: &Logger,
) -> Result<(), CliError> {
    for (path, error) in &result.failed {
        if format == Format::Jsonl {
            let (image, error) = (&*path.to_string_lossy(), &*logger::with_causes(error));
            output.json(&Failed { image, error })?;
        }
        logger.error(error, library_hint(error));
    }
    Ok(())
}
