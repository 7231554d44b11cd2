//! `--report`: one HTML file that shows a whole run.
//!
//! Owns the page: its template (page.html, report.css, report.js), streaming it to the
//! disk, and escaping untrusted text (`escape`). It does not rank or decode; a [`Card`]
//! holds the results of one image.
//!
//! The page loads nothing: its content security policy allows its own style and script,
//! by their hashes, and images inside the page. Cards are plain HTML that works without
//! the script; their labels and scores are JSON beside them, and are drawn when the card
//! comes near the viewport.

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

use crate::error::CliError;

/// The template of the page, with names in double braces.
const TEMPLATE: &str = include_str!("page.html");

/// The place of the cards in the template.
const CARDS: &str = "{{cards}}";

/// A page that is being written.
///
/// Cards are written to a temporary file beside the page, so that memory does not grow
/// with them; [`finish`](Self::finish) renames it. Dropping a report before that removes
/// the temporary file and keeps an existing page.
pub(crate) struct Report {
    path: PathBuf,
    file: Draft,
    mode: String,
    cards: usize,
    failed: usize,
    scale: f32,
}

impl Report {
    /// Starts the page at `path`: writes the part before the cards.
    ///
    /// # Errors
    /// [`CliError::Report`] if `path` does not have the ending of a page or is a folder,
    /// [`Error::Io`] if its folder is missing or cannot be written.
    pub(crate) fn create(path: &Path, heading: &Heading<'_>) -> Result<Self, CliError> {
        check_path(path)?;
        let mut report = Report {
            path: path.to_owned(),
            file: Draft::beside(path)?,
            mode: heading.mode.to_owned(),
            cards: 0,
            failed: 0,
            scale: heading.scale,
        };
        let (before, _) = TEMPLATE.split_once(CARDS).unwrap_or((TEMPLATE, ""));
        report.write(&fill(before, |name| heading.value(name)))?;
        Ok(report)
    }

    /// Writes the card of one image: some kilobytes, most of them its thumbnail.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn add(&mut self, card: &Card<'_>) -> Result<(), CliError> {
        self.cards += 1;
        self.failed += usize::from(card.result.is_err());
        let html = card.html(&self.mode).map_err(|source| {
            // Does not happen: numbers and text are valid JSON.
            Error::Json { path: self.path.clone(), source }
        })?;
        self.write(&html)
    }

    /// Ends the page, syncs it to the disk and renames it, replacing an existing page.
    ///
    /// # Errors
    /// [`Error::Io`]; an existing page is kept then.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        let (_, after) = TEMPLATE.split_once(CARDS).unwrap_or(("", ""));
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

    fn write(&mut self, html: &str) -> Result<(), CliError> {
        Ok(self.file.append(html.as_bytes())?)
    }
}

/// Checks that a page can be written at `path`, before any work is done.
///
/// # Errors
/// Those of [`Report::create`].
pub(crate) fn check_path(path: &Path) -> Result<(), CliError> {
    let refused = |expected, found| CliError::Report { path: path.to_owned(), expected, found };
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    // Prevents overwriting an image by mistake.
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

/// Replaces each name in `template` by its value. Braces in a value are kept.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut pieces = template.split("{{");
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
