//! `interrogate completions`: the completion script of a shell.

use std::io::{Write, stdout};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::fault::{Fault, Outcome};

/// Prints the script.
pub(crate) fn run(shell: Shell) -> Result<Outcome, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "interrogate", &mut script);
    stdout().write_all(&script)?;
    Ok(Outcome::default())
}
