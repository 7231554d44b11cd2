//! `interrogate embed`: features of images, embeddings of texts and prompts.

mod average;
mod images;
mod input;
mod prompts;
mod row;
mod texts;

use std::path::{Path, PathBuf};

use crate::args::{self, Embed};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;
#[cfg(feature = "serve")]
pub(crate) use row::Row;

/// Runs the subcommand.
pub(crate) fn run(args: &Embed, logger: &Logger) -> Result<Outcome, CliError> {
    match args {
        Embed::Images(args) => images::run(args, logger),
        Embed::Texts(args) => texts::run(args, logger),
        Embed::Prompts(args) => prompts::run(args, logger),
        Embed::Average(args) => average::run(args),
    }
}

/// Refuses an `output` that is also read. Standard output is not checked.
fn check_output(
    mut files: Files,
    output: Option<&Path>,
    inputs: &[PathBuf],
) -> Result<(), CliError> {
    let Some(output) = args::file(output) else { return Ok(()) };
    for path in inputs {
        files = files.reading(path, "rows or prompts");
    }
    Ok(files.writing(output, "the rows").check(&[], None)?)
}
