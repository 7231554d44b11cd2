//! Finds a captioner by name.

use std::path::PathBuf;

use super::{ModelSource, Options, Progress, hub};
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
/// [`ModelError::CaptionerUnknown`] for any other name; those of [`hub::fetch`].
pub fn captioner_folder(
    name: &str,
    options: &Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let repository = NAMES.iter().find(|(known, _)| *known == name).map(|(_, repo)| *repo);
    match repository.unwrap_or(name).parse() {
        Ok(ModelSource::Folder(folder)) => Ok(folder),
        Ok(ModelSource::Hub { repo, revision }) => {
            hub::fetch(&repo, revision.as_deref(), options, progress)
        }
        Ok(ModelSource::Starter | ModelSource::File(_)) | Err(_) => {
            let known = NAMES.map(|(known, _)| known).to_vec();
            Err(Error::Model(ModelError::CaptionerUnknown { name: name.to_owned(), known }))
        }
    }
}
