//! Files, folders and globs become one sorted list.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use interrogate::picture::{has_image_extension, is_hidden};

use super::skipped::Skipped;
use crate::fault::Fault;
use crate::file_id::Id;

/// The images that `named` stands for, sorted by path, each once.
///
/// A folder stands for what lies in it and ends like an image, directly or, if
/// `recursive`, anywhere below; links are followed, out of it too, and what is hidden is
/// left out. One below that cannot be read stays in the list, and in `unread`, so that it
/// fails alone. A name that does not exist and has `*`, `?` or `[` is a glob. A file that
/// does not exist stays in the list, so that it fails alone. What a folder holds besides is
/// counted in `skipped`.
///
/// # Errors
/// A folder or glob without an image, and one that cannot be read.
pub(super) fn collect(
    named: &[PathBuf],
    recursive: bool,
    unread: &mut HashSet<PathBuf>,
    skipped: &mut Skipped,
) -> Result<Vec<PathBuf>, Fault> {
    let mut images = Vec::new();
    for path in named {
        let before = images.len();
        let mut besides = Skipped::default();
        if path.is_dir() {
            let mut walk = Walk {
                entered: recursive.then(HashSet::new),
                images: &mut images,
                unread,
                skipped: &mut besides,
            };
            walk.folder(path).map_err(interrogate::Error::io("read", path))?;
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
            let skipped = besides.summary();
            return Err(Fault::NoneTaken { path: path.clone(), problem, skipped });
        }
        skipped.add(&besides);
    }
    images.sort();
    images.dedup();
    Ok(images)
}

/// A walk through one folder that was named.
struct Walk<'a> {
    /// Where folders below are entered too: those that were, each real one once, so that
    /// links that lead back to a folder above come to an end.
    entered: Option<HashSet<Id>>,
    images: &'a mut Vec<PathBuf>,
    unread: &'a mut HashSet<PathBuf>,
    skipped: &'a mut Skipped,
}

impl Walk<'_> {
    /// Names are taken in sorted order, so that of two names for one folder the same one
    /// counts each time.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        if let Some(entered) = &mut self.entered
            && !entered.insert(Id::of(path)?)
        {
            return Ok(());
        }
        // What it is comes with its name: a path may be too long to be asked about.
        let kind = |entry: io::Result<DirEntry>| entry.and_then(|e| Ok((e.path(), e.file_type()?)));
        let mut entries: Vec<_> = std::fs::read_dir(path)?.map(kind).collect::<Result<_, _>>()?;
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (entry, kind) in entries {
            let name = entry.file_name().unwrap_or_default();
            let below = || kind.is_dir() || kind.is_symlink() && entry.is_dir();
            if is_own(name) {
                continue;
            } else if is_hidden(name) {
                self.skipped.hidden();
            } else if !below() || self.entered.is_none() && has_image_extension(&entry) {
                // A folder that is called like an image fails like one.
                match has_image_extension(&entry) {
                    true => self.images.push(entry),
                    false => self.skipped.file(&entry),
                }
            } else if self.entered.is_none() {
                self.skipped.folder();
            } else if self.folder(&entry).is_err() {
                self.images.push(entry.clone());
                self.unread.insert(entry);
            }
        }
        Ok(())
    }
}

/// Whether a file is one that this program keeps beside others: the record of a run, or a
/// draft.
fn is_own(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    name.starts_with('.') && (name.ends_with(".run") || name.ends_with(".part"))
}

/// The name as a glob, where it is one.
fn pattern(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    (text.contains(['*', '?', '[']) && path.symlink_metadata().is_err()).then_some(text)
}

/// As in a shell, what is hidden is matched by a dot alone.
fn glob_matches(pattern: &str, images: &mut Vec<PathBuf>) -> Result<(), Fault> {
    // Not by default(), which ignores case.
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(pattern, options)
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
        super::collect(named, recursive, &mut HashSet::new(), &mut Skipped::default())
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
    fn hidden_files_and_what_systems_keep_beside_images_are_skipped_and_counted() {
        let folder = photos();
        for name in ["@eaDir/a.png", ".ipynb_checkpoints/a.png", "below/._d.jpg", "below/d.JPE"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        for name in ["._a.png", "Thumbs.db", ".out.jsonl.run", ".interrogate-0123456789ab.part"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = folder.path().to_owned();
        let taken = |recursive| {
            let mut skipped = Skipped::default();
            let paths = std::slice::from_ref(&path);
            let found = super::collect(paths, recursive, &mut HashSet::new(), &mut skipped);
            (names(&found.unwrap()), skipped.summary().unwrap())
        };
        let (found, said) = taken(true);
        assert_eq!(found, ["a.png", "b.JPG", "d.JPE", "c [1].webp"]);
        assert_eq!(said, "skipped 1 file: 1 .txt; 5 hidden");
        let (found, said) = taken(false);
        assert_eq!(found, ["a.png", "b.JPG", "c [1].webp"]);
        let expected = "skipped 1 file: 1 .txt; 4 hidden; 1 folder, which --recursive enters";
        assert_eq!(said, expected);
        let found = collect(&[folder.path().join("*.png")], false).unwrap();
        assert_eq!(names(&found), ["a.png"], "as in a shell");
        assert!(collect(&[folder.path().join("*.PNG")], false).is_err(), "case counts");
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
