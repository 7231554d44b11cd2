//! Which images a run looks at, and what they are called.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::input::{LineEnding, Text};
use crate::{Error, Result, limits, picture};

/// The images in the folder `images` of `data`, sorted by path. `skipped` is given what else
/// lies there: hidden files, folders, and files that do not end like an image.
///
/// # Errors
/// [`Error::Io`] where there is no such folder, [`Error::Mismatch`] where it
/// holds no image, [`Error::StemTwice`] where two have one name.
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

/// The names of `paths` without folder and ending, in order.
///
/// # Errors
/// [`Error::StemTwice`] where two have one name: their rows could not be told
/// apart.
pub fn stems(paths: &[impl AsRef<Path>]) -> Result<Vec<String>> {
    let mut seen: HashMap<String, &Path> = HashMap::with_capacity(paths.len());
    let mut stems = Vec::with_capacity(paths.len());
    for path in paths.iter().map(AsRef::as_ref) {
        let stem = stem(path);
        if let Some(first) = seen.insert(stem.clone(), path) {
            let (first, second) = (first.to_owned(), path.to_owned());
            return Err(Error::StemTwice { stem, first, second });
        }
        stems.push(stem);
    }
    Ok(stems)
}

/// A file's name without folder and ending; bytes that are not UTF-8 become
/// U+FFFD.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The labels of the dictionary `mediums.txt` in `dicts`, stripped, blank lines
/// left out.
pub(super) fn mediums(dicts: &Path) -> Result<Vec<String>> {
    let path = dicts.join("mediums.txt");
    let mut lines = Text::open(&path, limits::SMALL_FILE)?.lines(LineEnding::Any, limits::LINE);
    let mut labels = Vec::new();
    while let Some(line) = lines.next_line()? {
        labels.extend(Some(line.text()?.trim()).filter(|l| !l.is_empty()).map(str::to_owned));
    }
    Ok(labels)
}
