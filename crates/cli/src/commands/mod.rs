//! The commands, one file or folder each.

mod caption;
mod completions;
mod doctor;
mod embed;
mod execute;
mod info;
mod man;
mod prompt;
mod query;
mod rank;
mod similarity;
mod texts;
mod verify;

use crate::args::{self, Command, Form};
use crate::fault::{Fault, Outcome};
use crate::logger::Logger;
use crate::sink::Refused;

/// Runs `command`.
pub(crate) fn run(command: Command, logger: &Logger) -> Result<Outcome, Fault> {
    match command {
        Command::Prompt(args) => prompt::run(&args, logger),
        Command::Rank(args) => match &args.query {
            Some(query) => query::run(&args, query, logger),
            None => rank::run(&args, logger),
        },
        Command::Similarity(args) => similarity::run(&args, logger),
        Command::Caption(args) => caption::run(&args, logger),
        Command::Embed(args) => embed::run(&args, logger),
        Command::Execute(args) => execute::run(&args, logger),
        Command::Verify(args) => verify::run(&args, logger),
        Command::Info(args) => info::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man(args) => man::run(&args, logger),
    }
}

/// Checks that the output is lines on standard output: the result is one for all images.
///
/// # Errors
/// [`Refused::Alone`] for a file or a table.
fn require_lines(output: &args::Output) -> Result<(), Fault> {
    match output.format {
        _ if output.output.is_some() => Err(Refused::Alone { what: "--output" }.into()),
        Some(Form::Csv) => Err(Refused::Alone { what: "--format csv" }.into()),
        Some(Form::Parquet) => Err(Refused::Alone { what: "--format parquet" }.into()),
        _ => Ok(()),
    }
}
