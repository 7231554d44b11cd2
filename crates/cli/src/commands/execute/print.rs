//! The output of one batch.

use interrogate::pipeline::{Answers, Executed};

use super::row::{Failed, Label, Row};
use crate::args::Format;
use crate::fault::Fault;
use crate::logger::{self, Logger};
use crate::output::Output;

/// Prints the results of one batch.
pub(super) fn print(output: &mut Output, format: Format, executed: &Executed) -> Result<(), Fault> {
    if let Answers::Labels(labels) = &executed.answers {
        for label in labels {
            match format {
                Format::Jsonl => output.json(&Label { label })?,
                Format::Text => output.line(label)?,
            }
        }
        return Ok(());
    }
    for (at, id) in executed.ids.iter().enumerate() {
        let row = Row::new(id, &executed.answers, at);
        match format {
            Format::Jsonl => output.json(&row)?,
            Format::Text => output.line(row.line())?,
        }
    }
    Ok(())
}

/// Logs the failed images of one batch, and prints them as JSON.
pub(super) fn print_failed(
    output: &mut Output,
    format: Format,
    executed: &Executed,
    logger: &Logger,
) -> Result<(), Fault> {
    for (path, error) in &executed.failed {
        if format == Format::Jsonl {
            let (image, error) = (&*path.to_string_lossy(), &*logger::with_causes(error));
            output.json(&Failed { image, error })?;
        }
        logger.error(error, error.hint());
    }
    Ok(())
}
