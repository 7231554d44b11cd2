//! The rows that an output file already has, so that a run can resume it.
//!
//! A killed run may leave half of a row at the end, and a power failure zeros after it. Neither
//! counts as a row; the next row overwrites them. Formats: [`jsonl`] and [`csv`].

mod csv;
mod jsonl;
mod zeros;

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::iter;
use std::ops::Range;
use std::path::Path;

use build_index::durable::Draft;
use interrogate::{Error, input};

use super::error::{OutputError, Result};
pub(super) use csv::read as read_csv;
pub(super) use jsonl::read as read_jsonl;

/// The number of characters of an unexpected row in a message.
const SHOWN: usize = 80;

/// The rows of an output file.
#[derive(Debug, Default)]
pub(crate) struct ExistingRows {
    /// Images with a record.
    done: HashSet<String>,
    /// Images with nothing but an error.
    failed: HashSet<String>,
    /// Where the last whole row ends, in bytes.
    pub(super) end: u64,
    /// The rows of errors, in bytes.
    errors: Vec<Range<u64>>,
    /// The rows of errors whose images are retried.
    retried: Vec<Range<u64>>,
}

impl ExistingRows {
    /// Returns whether the run skips the image.
    pub(crate) fn contains(&self, image: &str) -> bool {
        self.done.contains(image) || self.failed.contains(image)
    }

    /// Returns the number of images with a record.
    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    /// Returns the number of images with nothing but an error, that are not retried.
    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Retries the images with nothing but an error.
    pub(super) fn retry_failed(&mut self) {
        self.failed.clear();
        self.retried = std::mem::take(&mut self.errors);
    }

    /// Rewrites the file at `path` without the rows of retried images, and returns the end of
    /// its last whole row. The new file replaces the old one at once.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn remove_retried(&self, path: &Path) -> Result<u64> {
        if self.retried.is_empty() {
            return Ok(self.end);
        }
        // Replace the target of a link, not the link.
        let path = &path.canonicalize().map_err(Error::io("open", path))?;
        let mut file = input::open(path)?;
        let mode = file.metadata().map_err(Error::io("read", path))?.permissions();
        let mut draft = Draft::beside(path)?;
        let (mut start, mut copied) = (0, 0);
        let end = self.end..self.end;
        for row in self.retried.iter().cloned().chain(iter::once(end)) {
            let copy = file.seek(SeekFrom::Start(start)).and_then(|_| {
                io::copy(&mut (&mut file).take(row.start.saturating_sub(start)), &mut draft)
            });
            copied += copy.map_err(Error::io("write", path))?;
            start = row.end;
        }
        draft.persist(path)?;
        fs::set_permissions(path, mode).map_err(Error::io("write", path))?;
        Ok(copied)
    }

    /// Adds the next row, of `bytes`.
    fn add(&mut self, image: String, failed: bool, bytes: u64) {
        let start = self.end;
        self.end += bytes;
        if failed {
            self.errors.push(start..self.end);
        }
        match failed {
            true if self.done.contains(&image) => {}
            true => drop(self.failed.insert(image)),
            false => {
                self.failed.remove(&image);
                self.done.insert(image);
            }
        }
    }
}

/// An error for the row that begins with the bytes `found`.
fn unexpected(path: &Path, line: usize, expected: String, found: &[u8]) -> OutputError {
    let found = &found[..found.len().min(4 * SHOWN)];
    let mut text: String = String::from_utf8_lossy(found).trim_end().chars().take(SHOWN).collect();
    if text.is_empty() {
        text = "nothing".into();
    }
    OutputError::UnexpectedRow { path: path.to_owned(), line, expected, found: text }
}

#[cfg(test)]
mod tests;
