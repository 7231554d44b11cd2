//! Files, folders and globs become one sorted list.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// The endings by which a folder's images are told from its other files. A file
/// that is named itself may have any.
const ENDINGS: [&str; 9] = ["bmp", "gif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// The images that `named` stands for, sorted by path, each once.
///
/// A folder stands for what lies in it and ends like an image, directly or, if
/// `recursive`, anywhere below; links are followed, out of it too. One below that
/// cannot be read stays in the list, and in `unread`, so that it fails alone. A name that does not exist and has `*`, `?` or
/// `[` is a glob. A file that does not exist stays in the list, so that it fails
/// alone.
///
/// # Errors
/// A folder or glob without an image, and one that cannot be read.
pub(super) fn collect(
    named: &[PathBuf],
    recursive: bool,
    unread: &mut HashSet<PathBuf>,
) -> Result<Vec<PathBuf>, Fault> {
    let mut images = Vec::new();
    for path in named {
        let before = images.len();
        if path.is_dir() {
            let mut entered = recursive.then(HashSet::new);
            folder(path, &mut entered, &mut images, unread)
                .map_err(interrogate::Error::io("read", path))?;
        } else if let Some(pattern) = pattern(path) {
            glob_matches(pattern, &mut images)?;
        } else {
            images.push(path.clone());
        }
        if images.len() == before {
            let problem = match (path.is_dir(), recursive) {
                (true, true) => "no image in this folder or below",
                (true, false) => "no image in this folder",
                (false, _) => "nothing matches",
            };
            return Err(Fault::NoImage { path: path.clone(), problem });
        }
    }
    images.sort();
    images.dedup();
    Ok(images)
}

/// Whether a name ends like an image's.
pub(super) fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// With `entered`, folders below are entered too, each real one once: links that
/// lead back to a folder above come to an end. Names are taken in sorted order,
/// so that of two names for one folder the same one counts each time.
fn folder(
    path: &Path,
    entered: &mut Option<HashSet<PathBuf>>,
    images: &mut Vec<PathBuf>,
    unread: &mut HashSet<PathBuf>,
) -> io::Result<()> {
    if let Some(entered) = entered
        && !entered.insert(path.canonicalize()?)
    {
        return Ok(());
    }
    // What it is comes with its name: a path may be too long to be asked about.
    let kind = |entry: io::Result<DirEntry>| entry.and_then(|e| Ok((e.path(), e.file_type()?)));
    let mut entries: Vec<_> = std::fs::read_dir(path)?.map(kind).collect::<Result<_, _>>()?;
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (entry, kind) in entries {
        let below = kind.is_dir() || kind.is_symlink() && entry.is_dir();
        if entered.is_some() && below {
            if folder(&entry, entered, images, unread).is_err() {
                images.push(entry.clone());
                unread.insert(entry);
            }
        } else if is_image(&entry) {
            images.push(entry);
        }
    }
    Ok(())
}

/// The name as a glob, where it is one.
fn pattern(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    (text.contains(['*', '?', '[']) && path.symlink_metadata().is_err()).then_some(text)
}

fn glob_matches(pattern: &str, images: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let found = glob::glob(pattern)
        .map_err(|source| Fault::Glob { pattern: pattern.to_owned(), source })?;
    for path in found {
        images.push(path.map_err(|e| {
            let path = e.path().to_owned();
            Fault::Library(interrogate::Error::io("read", path)(e.into()))
        })?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(named: &[PathBuf], recursive: bool) -> Result<Vec<PathBuf>, Fault> {
        super::collect(named, recursive, &mut HashSet::new())
    }

    fn names(paths: &[PathBuf]) -> Vec<String> {
        let name = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
        paths.iter().map(name).collect()
    }

    fn photos() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.png", "notes.txt", "c [1].webp"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_its_images_sorted() {
        let folder = photos();
        let found = collect(&[folder.path().to_owned()], false).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "c [1].webp"]);
    }

    #[test]
    fn an_image_named_twice_is_taken_once() {
        let folder = photos();
        let found =
            collect(&[folder.path().join("*.png"), folder.path().join("a.png")], false).unwrap();
        assert_eq!(names(&found), ["a.png"]);
    }

    #[test]
    fn a_file_with_brackets_in_its_name_is_a_file() {
        let folder = photos();
        assert_eq!(
            names(&collect(&[folder.path().join("c [1].webp")], false).unwrap()),
            ["c [1].webp"]
        );
    }

    #[test]
    fn a_missing_file_stays_to_fail_alone() {
        let folder = photos();
        assert_eq!(
            names(&collect(&[folder.path().join("none.png")], false).unwrap()),
            ["none.png"]
        );
    }

    #[test]
    fn a_folder_without_images_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = collect(&[folder.path().to_owned()], false).unwrap_err().to_string();
        assert!(error.ends_with(": no image in this folder"), "{error}");
        let error = collect(&[folder.path().join("*.jpg")], false).unwrap_err().to_string();
        assert!(error.ends_with("*.jpg: nothing matches"), "{error}");
        let error = collect(&[folder.path().join("***.jpg")], false).unwrap_err().to_string();
        assert!(error.ends_with(": not a glob"), "{error}");
    }

    #[test]
    fn folders_below_are_taken_when_asked_for() {
        let folder = photos();
        std::fs::create_dir_all(folder.path().join("below/more")).unwrap();
        std::fs::write(folder.path().join("below/more/d.jpeg"), "").unwrap();
        let folder = folder.path().to_owned();
        assert_eq!(collect(std::slice::from_ref(&folder), false).unwrap().len(), 3);
        let found = collect(std::slice::from_ref(&folder), true).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "d.jpeg", "c [1].webp"]);
    }

    #[test]
    #[cfg(unix)]
    fn links_in_a_circle_come_to_an_end() {
        let folder = photos();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(folder.path().join("below/d.jpg"), "").unwrap();
        for (to, name) in [("..", "below/up"), ("below", "twin"), ("below/self", "below/self")] {
            std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        }
        let found = collect(&[folder.path().to_owned()], true).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "d.jpg", "c [1].webp"]);
    }
}
