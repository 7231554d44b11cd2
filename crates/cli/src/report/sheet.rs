//! Cards in the order of the images, as batches come.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;

use interrogate::Result;
use interrogate::picture::Picture;
use interrogate::prompt::{Pick, Prompt};
use rayon::prelude::*;

use super::{Answer, Card, Report, Thumbnail};
use crate::fault::Fault;
use crate::{batch, talk};

/// A report that is told of batches: first how each image fared, then what is said
/// of those that did well.
pub(crate) struct Sheet {
    report: RefCell<Report>,
    mode: &'static str,
    /// Images that were looked at and have no card yet, in order: why there will be
    /// no prompt, where there will be none.
    waiting: RefCell<VecDeque<(String, Option<String>)>>,
}

impl Sheet {
    /// A sheet whose images all come in `mode`.
    pub(crate) fn new(report: Report, mode: &'static str) -> Self {
        Sheet { report: RefCell::new(report), mode, waiting: RefCell::default() }
    }

    /// A thumbnail of each picture, made side by side.
    pub(crate) fn thumbnails(&self, pictures: &[Picture]) -> Vec<Option<Thumbnail>> {
        pictures.par_iter().map(Thumbnail::of).collect()
    }

    /// Takes how each of `paths` fared.
    pub(crate) fn note<T>(&self, paths: &[PathBuf], seen: &[Result<T>]) {
        let why = |seen: &Result<T>| seen.as_ref().err().map(|error| talk::with_causes(error));
        let fared = paths.iter().zip(seen).map(|(path, seen)| (batch::name(path), why(seen)));
        self.waiting.borrow_mut().extend(fared);
    }

    /// Writes the card of an image that did well, and of those that did not before
    /// it. `picks` are the labels to show.
    pub(crate) fn answer(
        &self,
        image: &str,
        thumbnail: Option<&Thumbnail>,
        prompt: &Prompt<'_>,
        picks: &[Pick<'_>],
    ) -> std::result::Result<(), Fault> {
        self.failures()?;
        self.waiting.borrow_mut().pop_front(); // this image
        let tables = picks.iter().map(|pick| {
            (pick.table, pick.matches.iter().map(|found| (found.label, found.score)).collect())
        });
        let tables = tables.collect();
        let (caption, prompt) = (prompt.caption.as_deref(), &*prompt.text);
        let said = Ok(Answer { caption, prompt, mode: self.mode, tables });
        self.report.borrow_mut().add(&Card { image, thumbnail, said })
    }

    /// Writes the cards that are left, and ends the page.
    pub(crate) fn finish(self) -> std::result::Result<(), Fault> {
        self.failures()?;
        self.report.into_inner().finish()
    }

    /// The cards of the failures that are next.
    fn failures(&self) -> std::result::Result<(), Fault> {
        let mut waiting = self.waiting.borrow_mut();
        while let Some((image, Some(error))) = waiting.front() {
            let card = Card { image, thumbnail: None, said: Err(error) };
            self.report.borrow_mut().add(&card)?;
            waiting.pop_front();
        }
        Ok(())
    }
}
