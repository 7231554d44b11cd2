//! The mark of a finished call: the file `_SUCCESS`, which names its shards.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::{Error, Result};
use serde::Serialize;

/// The name of the mark, as Hadoop and Spark have it.
pub(super) const NAME: &str = "_SUCCESS";

/// The content of the mark.
#[derive(Serialize)]
pub(super) struct Success<'a> {
    /// The digest of the settings, as in the names of the shards.
    pub(super) settings: &'a str,
    pub(super) shards: &'a [String],
}

impl Success<'_> {
    /// Writes the mark into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::io("write", &path)(e.into()))?;
        text.push(b'\n');
        let mut draft = Draft::beside(&path)?;
        draft.append(&text)?;
        draft.persist(&path)
    }
}

/// Removes the mark of an earlier call from `folder`.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove(folder: &Path) -> Result<()> {
    let path: PathBuf = folder.join(NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
        _ => Ok(()),
    }
}
