//! Finds a captioner by name.

use std::path::PathBuf;

use super::{ModelSource, Options, Progress, hub, source};
use crate::caption::NAMES;
use crate::error::ModelError;
use crate::{Error, Result};

/// Returns the folder of the captioner `name`, to be opened with
/// [`caption::open`](crate::caption::open): a folder that exists, a hub id, or one of
/// [`caption::NAMES`](NAMES). Downloads the files that are missing from the cache; `progress`
/// is called as they download.
///
/// ```
/// use interrogate::models::{Options, captioner_folder};
///
/// let folder = tempfile::tempdir()?;
/// let name = folder.path().to_str().ok_or("not UTF-8")?;
/// let found = captioner_folder(name, &Options::new("cache"), &mut |_| {})?;
/// assert_eq!(found, folder.path());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`captioner_source`] and of [`hub::fetch`].
pub fn captioner_folder(
    name: &str,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    match captioner_source(name)? {
        ModelSource::Hub { repo, revision } => {
            hub::fetch(&repo, revision.as_deref(), options, progress)
        }
        ModelSource::Folder(path) | ModelSource::File(path) => Ok(path),
        ModelSource::Starter => Err(unknown(name)),
    }
}

/// Returns the source of the captioner `name`: a folder that exists, or a repository.
///
/// # Errors
/// [`ModelError::CaptionerUnknown`] for a name that is none of [`caption::NAMES`](NAMES), no
/// folder and no hub id, and [`ModelError::Ambiguous`].
pub fn captioner_source(name: &str) -> Result<ModelSource> {
    source::of_short_name(name, &NAMES, unknown)
}

fn unknown(name: &str) -> Error {
    let known = NAMES.map(|(known, _)| known).to_vec();
    Error::Model(ModelError::CaptionerUnknown { name: name.to_owned(), known })
}
