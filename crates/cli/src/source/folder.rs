//! Expands files, folders and globs to a sorted list of images.

use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use glob::Pattern;
use interrogate::picture::{has_image_extension, is_hidden};

use super::ranges;
use super::skipped::Skipped;
use crate::error::CliError;
use crate::file_id::Id;

/// How folders are read.
#[derive(Debug, Default)]
pub(super) struct Folders<'a> {
    /// Whether subfolders are read.
    pub(super) recursive: bool,
    /// The names of subfolders that are not.
    pub(super) excluded: &'a [Pattern],
}

/// Returns the images that `named` expands to, sorted by path, without duplicates.
///
/// A name with ranges of numbers ([`ranges`]) expands to several names. A folder expands to
/// the files in it, and with `recursive` in its subfolders, that have the ending of an image; links are followed, also out of the folder, and hidden files
/// are skipped. A subfolder that cannot be read stays in the list and is added to
/// `unread`, so that it fails alone. A path that does not exist and contains `*`, `?` or
/// `[` is a glob. A missing file stays in the list, so that it fails alone. The other files
/// of folders are counted in `skipped`.
///
/// # Errors
/// For a folder or glob without an image, and for one that cannot be read.
pub(super) fn collect(
    named: &[PathBuf],
    folders: &Folders<'_>,
    unread: &mut HashSet<PathBuf>,
    skipped: &mut Skipped,
) -> Result<Vec<PathBuf>, CliError> {
    let recursive = folders.recursive;
    let mut images = Vec::new();
    for path in &expand_ranges(named)? {
        let before = images.len();
        let mut skipped_here = Skipped::default();
        if path.is_dir() {
            let mut walk = Walk {
                entered: recursive.then(HashSet::new),
                excluded: folders.excluded,
                images: &mut images,
                unread,
                skipped: &mut skipped_here,
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
            let skipped = skipped_here.summary();
            return Err(CliError::NoImageIn { path: path.clone(), problem, skipped });
        }
        skipped.add(&skipped_here);
    }
    images.sort();
    images.dedup();
    Ok(images)
}

/// Expands ranges of numbers and globs alone: [`super::expand`].
pub(super) fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut paths = Vec::new();
    for path in expand_ranges(named)? {
        let before = paths.len();
        match pattern(&path) {
            Some(pattern) => glob_matches(pattern, &mut paths)?,
            None => paths.push(path.clone()),
        }
        if paths.len() == before {
            return Err(CliError::NoImageIn { path, problem: "nothing matches", skipped: None });
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Expands ranges of numbers in `named`, in their order.
fn expand_ranges(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut expanded = Vec::with_capacity(named.len());
    for path in named {
        match ranges::expand(path)? {
            Some(names) => expanded.extend(names),
            None => expanded.push(path.clone()),
        }
    }
    Ok(expanded)
}

/// A walk through one of the named folders.
struct Walk<'a> {
    /// The folders entered so far, if subfolders are entered. Each is entered once, which
    /// ends cycles of links.
    entered: Option<HashSet<Id>>,
    excluded: &'a [Pattern],
    images: &'a mut Vec<PathBuf>,
    unread: &'a mut HashSet<PathBuf>,
    skipped: &'a mut Skipped,
}

impl Walk<'_> {
    /// Adds the images in the folder at `path`. Entries are visited in sorted order, so
    /// that of two names of one folder always the same one is entered.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        if let Some(entered) = &mut self.entered
            && !entered.insert(Id::of(path)?)
        {
            return Ok(());
        }
        // The kind comes from the directory entry: a path may be too long for `metadata`.
        let kind = |entry: io::Result<DirEntry>| entry.and_then(|e| Ok((e.path(), e.file_type()?)));
        let mut entries: Vec<_> = std::fs::read_dir(path)?.map(kind).collect::<Result<_, _>>()?;
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (entry, kind) in entries {
            let name = entry.file_name().unwrap_or_default();
            let is_folder = || kind.is_dir() || kind.is_symlink() && entry.is_dir();
            if is_own(name) {
                continue;
            } else if is_hidden(name) {
                self.skipped.hidden();
            } else if !is_folder() || self.entered.is_none() && has_image_extension(&entry) {
                // A folder with the ending of an image fails as an image.
                if has_image_extension(&entry) {
                    self.images.push(entry);
                } else {
                    self.skipped.file(&entry);
                }
            } else if self.entered.is_none() {
                self.skipped.folder();
            } else if self.is_excluded(name) {
                self.skipped.excluded();
            } else if self.folder(&entry).is_err() {
                self.images.push(entry.clone());
                self.unread.insert(entry);
            }
        }
        Ok(())
    }

    fn is_excluded(&self, name: &std::ffi::OsStr) -> bool {
        let name = name.to_string_lossy();
        self.excluded.iter().any(|pattern| pattern.matches(&name))
    }
}

/// Returns whether a file is one that this program writes for itself: the record of a run
/// or a draft.
fn is_own(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    name.starts_with('.') && (name.ends_with(".run") || name.ends_with(".part"))
}

/// Returns the path as a glob, if it is one.
fn pattern(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    (text.contains(['*', '?', '[']) && path.symlink_metadata().is_err()).then_some(text)
}

/// Adds the matches of a glob. As in a shell, only a literal dot matches hidden files.
fn glob_matches(pattern: &str, images: &mut Vec<PathBuf>) -> Result<(), CliError> {
    // `MatchOptions::default()` ignores case.
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(pattern, options)
        .map_err(|source| CliError::Glob { pattern: pattern.to_owned(), source })?;
    for path in found {
        images.push(path.map_err(|e| {
            let path = e.path().to_owned();
            CliError::Library(interrogate::Error::io("read", path)(e.into()))
        })?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(named: &[PathBuf], recursive: bool) -> Result<Vec<PathBuf>, CliError> {
        let folders = Folders { recursive, ..Folders::default() };
        super::collect(named, &folders, &mut HashSet::new(), &mut Skipped::default())
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
    fn folder_expands_to_its_images_sorted() {
        let folder = photos();
        let found = collect(&[folder.path().to_owned()], false).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "c [1].webp"]);
    }

    #[test]
    fn duplicate_images_are_dropped() {
        let folder = photos();
        let found =
            collect(&[folder.path().join("*.png"), folder.path().join("a.png")], false).unwrap();
        assert_eq!(names(&found), ["a.png"]);
    }

    #[test]
    fn existing_file_with_brackets_is_not_a_glob() {
        let folder = photos();
        assert_eq!(
            names(&collect(&[folder.path().join("c [1].webp")], false).unwrap()),
            ["c [1].webp"]
        );
    }

    #[test]
    fn missing_file_is_kept() {
        let folder = photos();
        assert_eq!(
            names(&collect(&[folder.path().join("none.png")], false).unwrap()),
            ["none.png"]
        );
    }

    #[test]
    fn folder_without_images_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = collect(&[folder.path().to_owned()], false).unwrap_err().to_string();
        assert!(error.ends_with(": no image in this folder"), "{error}");
        let error = collect(&[folder.path().join("*.jpg")], false).unwrap_err().to_string();
        assert!(error.ends_with("*.jpg: nothing matches"), "{error}");
        let error = collect(&[folder.path().join("***.jpg")], false).unwrap_err().to_string();
        assert!(error.ends_with(": invalid glob"), "{error}");
    }

    #[test]
    fn recursive_enters_subfolders() {
        let folder = photos();
        std::fs::create_dir_all(folder.path().join("below/more")).unwrap();
        std::fs::write(folder.path().join("below/more/d.jpeg"), "").unwrap();
        let folder = folder.path().to_owned();
        assert_eq!(collect(std::slice::from_ref(&folder), false).unwrap().len(), 3);
        let found = collect(std::slice::from_ref(&folder), true).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "d.jpeg", "c [1].webp"]);
    }

    #[test]
    fn hidden_and_system_files_are_skipped_and_counted() {
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
        let collected = |recursive| {
            let mut skipped = Skipped::default();
            let paths = std::slice::from_ref(&path);
            let folders = Folders { recursive, ..Folders::default() };
            let found = super::collect(paths, &folders, &mut HashSet::new(), &mut skipped);
            (names(&found.unwrap()), skipped.summary().unwrap())
        };
        let (found, summary) = collected(true);
        assert_eq!(found, ["a.png", "b.JPG", "d.JPE", "c [1].webp"]);
        assert_eq!(summary, "skipped 1 file: 1 .txt; 5 hidden");
        let (found, summary) = collected(false);
        assert_eq!(found, ["a.png", "b.JPG", "c [1].webp"]);
        let expected = "skipped 1 file: 1 .txt; 4 hidden; 1 folder, which --recursive enters";
        assert_eq!(summary, expected);
        let found = collect(&[folder.path().join("*.png")], false).unwrap();
        assert_eq!(names(&found), ["a.png"], "as in a shell");
        assert!(collect(&[folder.path().join("*.PNG")], false).is_err(), "case counts");
    }

    #[test]
    fn excluded_subfolders_are_counted_and_not_entered() {
        let folder = photos();
        for name in ["thumbs/a.jpg", "below/thumbs/b.jpg", "below/cache-1/c.jpg", "below/d.jpg"] {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut skipped = Skipped::default();
        let excluded = ["thumbs", "cache-*"].map(|name| Pattern::new(name).unwrap());
        let folders = Folders { recursive: true, excluded: &excluded };
        // The named folder itself is read whatever its name.
        for path in [folder.path().to_owned(), folder.path().join("below/thumbs")] {
            super::collect(&[path], &folders, &mut HashSet::new(), &mut skipped).unwrap();
        }
        let summary = skipped.summary().unwrap();
        assert_eq!(summary, "skipped 1 file: 1 .txt; 3 excluded folders");
        let path = folder.path().to_owned();
        let found = super::collect(&[path], &folders, &mut HashSet::new(), &mut skipped).unwrap();
        assert_eq!(names(&found), ["a.png", "b.JPG", "d.jpg", "c [1].webp"]);
    }

    #[test]
    fn ranges_expand_to_files_folders_and_globs() {
        let folder = photos();
        for name in ["in1/1.jpg", "in2/2.jpg", "in2/3.png"] {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let collected = |name: &str| collect(&[folder.path().join(name)], false);
        assert_eq!(names(&collected("in{1..2}").unwrap()), ["1.jpg", "2.jpg", "3.png"]);
        assert_eq!(names(&collected("in{2..2}/*.png").unwrap()), ["3.png"]);
        // A missing name stays, so that it fails alone.
        assert_eq!(names(&collected("{01..02}.jpg").unwrap()), ["01.jpg", "02.jpg"]);
        let error = collected("in{1..3}/*.png").unwrap_err().to_string();
        assert!(error.ends_with("in1/*.png: nothing matches"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn cycles_of_links_end() {
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
