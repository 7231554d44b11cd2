//! `interrogate man`: manual pages.

use std::io::{Write, stdout};

use clap::CommandFactory;
use interrogate::Error;

use crate::args::{Args, Man};
use crate::fault::{Fault, Outcome};
use crate::talk::Talk;

/// Prints the program's page, or writes one for each command into a folder.
pub(crate) fn run(args: &Man, talk: &Talk) -> Result<Outcome, Fault> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page)?;
        stdout().write_all(&page)?;
        return Ok(Outcome::default());
    };
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    clap_mangen::generate_to(Args::command(), folder).map_err(Error::io("write to", folder))?;
    talk.note(format_args!("pages are in {}", folder.display()));
    Ok(Outcome::default())
}
