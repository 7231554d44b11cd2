//! Manual pages.

use std::path::Path;

use clap::Command;
use interrogate::{Error, Result};

use crate::durable::Draft;

/// Writes a manual page for `command` and each of its subcommands into `folder`, which is
/// created if it is missing. Hidden subcommands have no page.
///
/// Unlike clap_mangen's `generate_to`, which writes through a symbolic link, it writes drafts
/// and renames them.
///
/// # Errors
/// [`Error::Io`] where the folder or a page cannot be written.
pub fn write_man_pages(command: Command, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write(&command, folder)
}

fn write(command: &Command, folder: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, folder)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let path = folder.join(page.get_filename());
    let mut draft = Draft::beside(&path)?;
    page.render(&mut draft).map_err(Error::io("write", &path))?;
    draft.persist(&path)
}
