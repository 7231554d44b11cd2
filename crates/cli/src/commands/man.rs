//! `interrogate man`: manual pages.

use std::io::{Write, stdout};
use std::path::Path;

use build_index::durable::Draft;
use clap::{Command, CommandFactory};
use interrogate::Error;

use crate::args::{Args, Man};
use crate::error::CliError;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::OutputError;

/// Prints the page of the program, or writes a page for each command into a folder.
pub(crate) fn run(args: &Man, logger: &Logger) -> Result<Outcome, CliError> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page).map_err(OutputError::Stdout)?;
        stdout().write_all(&page).map_err(OutputError::Stdout)?;
        return Ok(Outcome::default());
    };
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    write(&command, folder)?;
    logger.note(format_args!("pages are in {}", folder.display()));
    Ok(Outcome::default())
}

/// Writes the pages of `command` and its subcommands. Unlike clap_mangen's `generate_to`,
/// which writes through a symbolic link, it writes drafts and renames them.
fn write(command: &Command, folder: &Path) -> Result<(), CliError> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, folder)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let path = folder.join(page.get_filename());
    let mut draft = Draft::beside(&path)?;
    page.render(&mut draft).map_err(Error::io("write", &path))?;
    Ok(draft.persist(&path)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn pages_equal_those_of_clap_mangen_and_links_are_replaced() {
        let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mine = ours.path().join("mine");
        std::fs::write(&mine, "precious").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&mine, ours.path().join("interrogate-rank.1")).unwrap();
        let args = Man { out: Some(ours.path().to_owned()) };
        run(&args, &Logger::new(true)).unwrap();
        assert_eq!(std::fs::read(&mine).unwrap(), b"precious");
        std::fs::remove_file(&mine).unwrap();
        clap_mangen::generate_to(Args::command(), theirs.path()).unwrap();
        let pages = |folder: &Path| {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            entries.map(|e| (e.file_name(), std::fs::read(e.path()).unwrap())).collect()
        };
        let [ours, theirs]: [BTreeMap<_, _>; 2] = [pages(ours.path()), pages(theirs.path())];
        assert!(ours.len() > 8 && ours == theirs);
    }
}
