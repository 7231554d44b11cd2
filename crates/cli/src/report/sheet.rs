//! Cards in the order of the images, as batches come.

use std::cell::RefCell;

use interrogate::Error;
use interrogate::prompt::Pick;

use super::{Card, Record, Report, Thumbnail};
use crate::error::CliError;
use crate::logger;

/// A report that is told of one image after the other, how it fared and what is said
/// of it.
pub(crate) struct Sheet {
    report: RefCell<Report>,
    mode: &'static str,
}

impl Sheet {
    /// A sheet whose images all come in `mode`.
    pub(crate) fn new(report: Report, mode: &'static str) -> Self {
        Sheet { report: RefCell::new(report), mode }
    }

    /// Writes the card of an image that did well. `picks` are the labels to show.
    pub(crate) fn answer(
        &self,
        image: &str,
        thumbnail: Option<&Thumbnail>,
        (caption, prompt): (Option<&str>, &str),
        picks: &[Pick<'_>],
    ) -> Result<(), CliError> {
        let tables = picks.iter().map(|pick| {
            (pick.table, pick.matches.iter().map(|found| (found.label, found.score)).collect())
        });
        let said = Ok(Record { caption, prompt, mode: self.mode, tables: tables.collect() });
        self.report.borrow_mut().add(&Card { image, thumbnail, said })
    }

    /// Writes the card of an image of which nothing can be said.
    pub(crate) fn failed(&self, image: &str, error: &Error) -> Result<(), CliError> {
        let error = logger::with_causes(error);
        self.report.borrow_mut().add(&Card { image, thumbnail: None, said: Err(&error) })
    }

    /// Ends the page.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        self.report.into_inner().finish()
    }
}
