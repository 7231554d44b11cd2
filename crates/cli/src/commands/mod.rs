//! One file a command.

mod caption;
mod completions;
mod doctor;
mod embed;
mod execute;
mod info;
mod man;
mod prompt;
mod prompts;
mod query;
mod rank;
mod similarity;
mod verify;

use crate::args::{self, Command, Form};
use crate::fault::{Fault, Outcome};
use crate::sink::Refused;
use crate::talk::Talk;

/// Runs the command that was typed.
pub(crate) fn run(command: Command, talk: &Talk) -> Result<Outcome, Fault> {
    match command {
        Command::Prompt(args) => prompt::run(&args, talk),
        Command::Rank(args) => match &args.query {
            Some(query) => query::run(&args, query, talk),
            None => rank::run(&args, talk),
        },
        Command::Similarity(args) => similarity::run(&args, talk),
        Command::Caption(args) => caption::run(&args, talk),
        Command::Embed(args) => embed::run(&args, talk),
        Command::Execute(args) => execute::run(&args, talk),
        Command::Verify(args) => verify::run(&args, talk),
        Command::Info(args) => info::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man(args) => man::run(&args, talk),
    }
}

/// Refuses what an answer of lines alone cannot be.
///
/// # Errors
/// Where a table or a file was asked for.
fn lines_alone(output: &args::Output) -> Result<(), Fault> {
    match output.format {
        _ if output.output.is_some() => Err(Refused::Alone { what: "--output" }.into()),
        Some(Form::Csv) => Err(Refused::Alone { what: "--format csv" }.into()),
        Some(Form::Parquet) => Err(Refused::Alone { what: "--format parquet" }.into()),
        _ => Ok(()),
    }
}
