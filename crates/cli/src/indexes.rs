//! Where indexes are: in `indexes/` of the working folder, else in the user's data folder.

use std::io;
use std::path::{Path, PathBuf};

use interrogate::index::Index;
use interrogate::index::format::MANIFEST;
use interrogate::models::ModelSource;

use crate::config::Config;
use crate::error::CliError;
use crate::folders::{self, NoHome};

/// The name of a folder of indexes.
pub(crate) const INDEXES: &str = "indexes";

/// Returns the user's folder of indexes, which may not exist yet.
pub(crate) fn user_folder() -> Result<PathBuf, NoHome> {
    Ok(folders::data()?.join(INDEXES))
}

/// Returns the folders of indexes, the preferred one first.
pub(crate) fn roots() -> Vec<PathBuf> {
    std::iter::once(INDEXES.into()).chain(user_folder().ok()).collect()
}

/// Returns the folder of the index of the model with this slug: where it is, or where it is to
/// be built. That is `indexes/` in the working folder if it exists, unless only the user's
/// folder has the index.
pub(crate) fn of_model(slug: &str) -> Result<PathBuf, CliError> {
    let here = Path::new(INDEXES).join(slug);
    if is_index(&here) {
        return Ok(here);
    }
    match user_folder().map(|folder| folder.join(slug)) {
        Ok(user) if is_index(&user) => Ok(user),
        _ => Ok(place()?.join(slug)),
    }
}

/// Opens the index in `folder`; or else that of the configured model; or else the only one.
pub(crate) fn open(folder: Option<&Path>) -> Result<Index, CliError> {
    if let Some(folder) = folder {
        return Ok(Index::open(folder)?);
    }
    if let Some(model) = Config::open()?.model {
        return Ok(Index::open(&of_model(&model.parse::<ModelSource>()?.slug())?)?);
    }
    match only()? {
        Some(only) => Ok(Index::open(&only)?),
        None => Ok(Index::open(&place()?)?), // fails with the hint how to build one
    }
}

/// Returns the only index in the first folder of indexes that has any.
///
/// # Errors
/// [`CliError::Arguments`] if there are several.
pub(crate) fn only() -> Result<Option<PathBuf>, CliError> {
    for root in roots() {
        match &in_folder(&root)?[..] {
            [] => {}
            [only] => return Ok(Some(only.clone())),
            several => return Err(ambiguous(&root, several)),
        }
    }
    Ok(None)
}

/// Returns all indexes, by folder of indexes and name.
pub(crate) fn all() -> Result<Vec<PathBuf>, CliError> {
    let found = roots().iter().map(|root| in_folder(root)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.concat())
}

/// Returns the subfolders of `folder`, sorted; empty if it cannot be read.
pub(crate) fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Returns the folder of indexes in which a new one is built: that of the working folder if it
/// exists, else the user's.
pub(crate) fn place() -> Result<PathBuf, NoHome> {
    let here = Path::new(INDEXES);
    if here.is_dir() { Ok(here.to_owned()) } else { user_folder() }
}

fn is_index(folder: &Path) -> bool {
    folder.join(MANIFEST).exists()
}

/// Returns the folders in `root` that hold an index, sorted; none if `root` does not exist.
fn in_folder(root: &Path) -> Result<Vec<PathBuf>, CliError> {
    match std::fs::read_dir(root) {
        Ok(_) => Ok(subfolders(root).into_iter().filter(|folder| is_index(folder)).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(interrogate::Error::io("read", root)(error).into()),
    }
}

fn ambiguous(root: &Path, several: &[PathBuf]) -> CliError {
    let names: Vec<_> = several.iter().map(|path| path.to_string_lossy()).collect();
    CliError::Arguments {
        message: format!("{} holds {} indexes: {}", root.display(), names.len(), names.join(", ")),
        hint: format!(
            "pass --index {}, or --model, or set a default: interrogate setup MODEL",
            names[0]
        ),
    }
}
