//! The commands, one file or folder each.

mod analyze;
mod caption;
mod captioners;
mod completions;
mod config;
mod doctor;
mod embed;
mod execute;
mod info;
mod lists;
mod man;
mod models;
mod operands;
mod prompt;
mod query;
mod rank;
mod report;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod setup;
mod similarity;
mod tables;
mod tag;
mod texts;
mod unit_row;
mod verify;

use crate::args::{self, Command, Embed, Form};
use crate::config::Config;
use crate::error::CliError;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::OutputError;

/// Runs `command`.
pub(crate) fn run(command: Command, logger: &Logger) -> Result<Outcome, CliError> {
    if has_defaults(&command) {
        Config::open()?; // an invalid file gave the command line no defaults
    }
    match command {
        Command::Prompt(args) => prompt::run(&args, logger),
        Command::Rank(args) => match &args.query {
            Some(query) => query::run(&args, query, logger),
            None => rank::run(&args, logger),
        },
        Command::Analyze(args) => analyze::run(&args, logger),
        Command::Search(args) => search::run(&args, logger),
        Command::Similarity(args) => similarity::run(&args, logger),
        Command::Caption(args) => caption::run(&args, logger),
        Command::Tag(args) => tag::run(&args, logger),
        Command::Embed(args) => embed::run(&args, logger),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(*args, logger),
        Command::Execute(args) => execute::run(&args, logger),
        Command::Verify(args) => verify::run(&args, logger),
        Command::Info(args) => info::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Setup(args) => setup::run(&args, logger),
        Command::Models(args) => models::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man(args) => man::run(&args, logger),
    }
}

/// Whether `command` has options whose defaults the configuration names.
fn has_defaults(command: &Command) -> bool {
    match command {
        Command::Prompt(_) | Command::Rank(_) | Command::Similarity(_) | Command::Caption(_) => {
            true
        }
        #[cfg(feature = "serve")]
        Command::Serve(_) => true,
        Command::Embed(embed) => matches!(embed, Embed::Images { .. } | Embed::Texts { .. }),
        _ => false,
    }
}

/// Checks that the output is lines on standard output: the result is one for all images.
///
/// # Errors
/// [`OutputError::SingleRecord`] for a file or a table.
fn require_lines(output: &args::Output) -> Result<(), CliError> {
    match output.format {
        _ if output.file().is_some() => Err(OutputError::SingleRecord { what: "--output" }.into()),
        Some(Form::Csv) => Err(OutputError::SingleRecord { what: "--format csv" }.into()),
        Some(Form::Parquet) => Err(OutputError::SingleRecord { what: "--format parquet" }.into()),
        _ => Ok(()),
    }
}
