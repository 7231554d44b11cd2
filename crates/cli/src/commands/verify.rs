//! `interrogate verify`: checks every byte of an index.

use serde::Serialize;

use crate::args::{Format, IndexChoice};
use crate::error::CliError;
use crate::indexes;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// The result as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    index: &'a str,
    tables: usize,
    labels: usize,
    whole: bool,
}

/// Reads the whole index; an error names the first damaged file.
pub(crate) fn run(args: &IndexChoice, logger: &Logger) -> Result<Outcome, CliError> {
    let index = indexes::open(args.index.as_deref())?;
    let bar = logger.bar(index.bytes(), "{bar:40} {bytes}/{total_bytes} read, {eta} left");
    let verified = index.verify(|read| bar.set_position(read.bytes));
    bar.finish_and_clear();
    verified?;
    let path = index.path().to_string_lossy();
    let labels = index.tables().iter().map(|table| table.len()).sum();
    let tables = index.tables().len();
    let mut output = Stdout::new();
    match args.format.or(Format::Text) {
        Format::Jsonl => output.json(&Row { index: &path, tables, labels, whole: true })?,
        Format::Text => {
            output.line(format_args!("{path}: whole: {tables} tables, {labels} labels"))?;
        }
    }
    Ok(Outcome::default())
}
