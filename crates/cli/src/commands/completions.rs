//! `interrogate completions`: the completion script of a shell.

use std::io::{Write, stdout};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::error::CliError;
use crate::outcome::Outcome;
use crate::output::OutputError;

/// Prints the script.
pub(crate) fn run(shell: Shell) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "interrogate", &mut script);
    stdout().write_all(&script).map_err(OutputError::Stdout)?;
    Ok(Outcome::default())
}
