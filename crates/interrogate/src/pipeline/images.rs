//! Finds the images of a run and their ids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::PipelineError;
use crate::input::{LineEnding, Text};
use crate::{Error, Result, limits, picture};

/// Returns the images in the folder `images` of `data`, sorted by path. Calls `skipped` for
/// everything else there: hidden files, folders, and files without an image's extension.
///
/// # Errors
/// [`Error::Io`] if there is no such folder; [`Error::Mismatch`] if it contains no image;
/// [`PipelineError::DuplicateStem`] if two images have the same name without extension.
pub fn images(data: &Path, skipped: &mut dyn FnMut(&Path)) -> Result<Vec<PathBuf>> {
    let folder = data.join("images");
    let entries = std::fs::read_dir(&folder).map_err(Error::io("open", &folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        let hidden = path.file_name().is_some_and(picture::is_hidden);
        if !hidden && picture::has_image_extension(&path) {
            found.push(path);
        } else {
            skipped(&path);
        }
    }
    if found.is_empty() {
        return Err(Error::mismatch(&folder, "images", "at least one", "none"));
    }
    found.sort();
    stems(&found)?;
    Ok(found)
}

/// Returns the file names of `paths` without folder and extension, in order.
///
/// # Errors
/// [`PipelineError::DuplicateStem`] if two are equal, since names identify the rows of the output.
pub fn stems(paths: &[impl AsRef<Path>]) -> Result<Vec<String>> {
    let mut first_paths: HashMap<String, &Path> = HashMap::with_capacity(paths.len());
    let mut stems = Vec::with_capacity(paths.len());
    for path in paths.iter().map(AsRef::as_ref) {
        let stem = stem(path);
        if let Some(first) = first_paths.insert(stem.clone(), path) {
            let (first, second) = (first.to_owned(), path.to_owned());
            return Err(Error::Pipeline(PipelineError::DuplicateStem { stem, first, second }));
        }
        stems.push(stem);
    }
    Ok(stems)
}

/// Returns a file's name without folder and extension; invalid UTF-8 becomes U+FFFD.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// Reads the labels of the dictionary `mediums.txt` in `dicts`: trimmed lines, without blank
/// ones.
pub(super) fn mediums(dicts: &Path) -> Result<Vec<String>> {
    let path = dicts.join("mediums.txt");
    let mut lines = Text::open(&path, limits::SMALL_FILE)?.lines(LineEnding::Any, limits::LINE);
    let mut labels = Vec::new();
    while let Some(line) = lines.next_line()? {
        labels.extend(Some(line.text()?.trim()).filter(|l| !l.is_empty()).map(str::to_owned));
    }
    Ok(labels)
}
