//! One file a command.

mod caption;
mod completions;
mod doctor;
mod embed;
mod info;
mod man;
mod prompt;
mod rank;
mod verify;

use crate::args::Command;
use crate::fault::{Fault, Outcome};
use crate::talk::Talk;

/// Runs the command that was typed.
pub(crate) fn run(command: Command, talk: &Talk) -> Result<Outcome, Fault> {
    match command {
        Command::Prompt(args) => prompt::run(&args, talk),
        Command::Rank(args) => rank::run(&args, talk),
        Command::Caption(args) => caption::run(&args, talk),
        Command::Embed(args) => embed::run(&args, talk),
        Command::Verify(args) => verify::run(&args, talk),
        Command::Info(args) => info::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => completions::run(shell),
        Command::Man(args) => man::run(&args, talk),
    }
}
