//! `interrogate embed`: features of images, embeddings of texts and prompts.

mod average;
mod images;
mod input;
mod prompts;
mod row;
mod texts;

use std::path::{Path, PathBuf};

use crate::args::Embed;
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;

/// Runs the subcommand.
pub(crate) fn run(args: &Embed, logger: &Logger) -> Result<Outcome, CliError> {
    match args {
        Embed::Images { images, model, output } => images::run(images, model, output, logger),
        Embed::Texts { texts, model, format } => texts::run(texts, model, *format, logger),
        Embed::Prompts(args) => prompts::run(args, logger),
        Embed::Average(args) => average::run(args),
    }
}

/// Refuses an `output` that is also read.
fn check_output(mut files: Files, output: &Path, inputs: &[PathBuf]) -> Result<(), CliError> {
    for path in inputs {
        files = files.reading(path, "rows or prompts");
    }
    Ok(files.writing(output, "the rows").check(&[], false)?)
}
