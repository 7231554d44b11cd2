//! `--report`: one page that shows a whole run, all of it in one file.
//!
//! Owns the page: its form (page.html, report.css, report.js), how it is streamed
//! to the disk, and how what comes from outside is kept from being anything but
//! text (`escape`). It ranks nothing and decodes nothing; a [`Card`] is what the
//! page is told of an image.
//!
//! The page fetches nothing and can fetch nothing: its policy allows the one style
//! and the one script that are written here, by their hashes, images that lie in
//! the page, and nothing else. Cards are plain HTML that stands without script;
//! the labels and scores of each lie beside it as JSON, and are drawn when it comes
//! near the window.

mod card;
mod escape;
mod heading;
mod thumbnail;

use std::fs;
use std::path::{Path, PathBuf};

use build_index::durable::{self, Draft};
use interrogate::Error;

pub(crate) use card::{Answer, Card};
pub(crate) use heading::Heading;
pub(crate) use thumbnail::Thumbnail;

use crate::fault::Fault;

/// The page without its values, each of which has a name in double braces.
const FORM: &str = include_str!("page.html");

/// Where the cards stand in it.
const CARDS: &str = "{{cards}}";

/// A page in the making.
///
/// Cards go to a temporary file beside the page as they come, so that memory does
/// not grow with them; [`finish`](Self::finish) gives the file its name. A report
/// that is dropped before leaves nothing, and what stood under the name stays.
pub(crate) struct Report {
    path: PathBuf,
    file: Draft,
    mode: String,
    cards: usize,
    failed: usize,
    scale: f32,
}

impl Report {
    /// Begins the page that is to stand at `path`: writes all that comes before the
    /// cards.
    ///
    /// # Errors
    /// [`Fault::Report`] where `path` does not end like a page or is a folder,
    /// [`Error::Io`] where its folder is absent or cannot be written.
    pub(crate) fn create(path: &Path, heading: &Heading<'_>) -> Result<Self, Fault> {
        check_path(path)?;
        let mut report = Report {
            path: path.to_owned(),
            file: Draft::beside(path)?,
            mode: heading.mode.to_owned(),
            cards: 0,
            failed: 0,
            scale: heading.scale,
        };
        let (before, _) = FORM.split_once(CARDS).unwrap_or((FORM, ""));
        report.write(&fill(before, |name| heading.value(name)))?;
        Ok(report)
    }

    /// Writes one image's card: some kilobytes, most of them its thumbnail.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn add(&mut self, card: &Card<'_>) -> Result<(), Fault> {
        self.cards += 1;
        self.failed += usize::from(card.result.is_err());
        let html = card.html(&self.mode).map_err(|source| {
            // Scores are numbers and labels are text: nothing that JSON lacks.
            Error::Json { path: self.path.clone(), source }
        })?;
        self.write(&html)
    }

    /// Ends the page, brings it to the disk and gives it its name, in place of what
    /// had it.
    ///
    /// # Errors
    /// [`Error::Io`]; the page is then not there, and what stood there is.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        let (_, after) = FORM.split_once(CARDS).unwrap_or(("", ""));
        let total = heading::total(self.cards, self.failed);
        let scale = self.scale.to_string();
        let end = fill(after, |name| match name {
            "total" => total.clone(),
            "scale" => scale.clone(),
            "script" => heading::script(),
            _ => String::new(),
        });
        self.write(&end)?;
        Ok(self.file.persist(&self.path)?)
    }

    fn write(&mut self, html: &str) -> Result<(), Fault> {
        Ok(self.file.append(html.as_bytes())?)
    }
}

/// Refuses a `path` where no page may stand: to be asked before hours of work that end
/// in one.
///
/// # Errors
/// Those of [`Report::create`].
pub(crate) fn check_path(path: &Path) -> Result<(), Fault> {
    let refused = |expected, found| Fault::Report { path: path.to_owned(), expected, found };
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    // So that no image is written over by a slip of the hand.
    if !ending.is_some_and(|ending| ending == "html" || ending == "htm") {
        let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(refused("a name that ends in .html", found));
    }
    if path.is_dir() {
        return Err(refused("a file", "a folder".to_owned()));
    }
    let folder = durable::folder_of(path);
    fs::metadata(folder).map_err(Error::io("write to", folder))?;
    Ok(())
}

/// `form` with the value of each name. A value is not looked into: what stands in
/// braces there stays.
fn fill(form: &str, value: impl Fn(&str) -> String) -> String {
    let mut pieces = form.split("{{");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, text) = piece.split_once("}}").unwrap_or((piece, ""));
        filled += &value(name);
        filled += text;
    }
    filled
}

#[cfg(test)]
mod tests;
