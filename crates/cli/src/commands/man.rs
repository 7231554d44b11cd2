//! `interrogate man`: manual pages.

use std::io::{Write, stdout};

use build_index::terminal::write_man_pages;
use clap::CommandFactory;

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
    write_man_pages(Args::command(), folder)?;
    logger.note(format_args!("pages are in {}", folder.display()));
    Ok(Outcome::default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

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
