//! Opens files with fixed names for writing, without following links.
//!
//! A lock, a journal and a partial download have predictable names, in folders that others may
//! write to. A symbolic or hard link with such a name would redirect a write to one of the
//! user's files. [`open`] and [`open_existing`] are the only ways to open one. What is written
//! is for the callers.
//!
//! The content of the file is not checked, nor whether it is on the folder's device: overlay
//! file systems report another device number for a file than for its folder.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use crate::input::not_a_file;
use crate::{Error, Result};

/// Opens the file at `path` for reading and writing, and creates it if it does not exist. Never
/// truncates, and never blocks.
///
/// On Windows, hard links are not detected: the standard library does not count them there.
///
/// # Errors
/// [`Error::Mismatch`] for a symbolic link, a file with more than one hard link, or anything but
/// a regular file; [`Error::Io`] if the file cannot be opened.
pub fn open(path: &Path) -> Result<File> {
    checked(path, true)
}

/// Like [`open`] for an existing file; returns `None` if it does not exist.
///
/// # Errors
/// As of [`open`].
pub fn open_existing(path: &Path) -> Result<Option<File>> {
    match checked(path, false) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn checked(path: &Path, create: bool) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(create).truncate(false);
    // Opens a pipe without blocking; it is rejected below.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NOFOLLOW | libc::O_NONBLOCK,
    );
    // FILE_FLAG_OPEN_REPARSE_POINT: opens the link itself, which is rejected below.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, 0x0020_0000);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) => match fs::symlink_metadata(path) {
            Ok(kind) if !kind.is_file() => return Err(not_a_file(path, kind.file_type())),
            _ => return Err(Error::io("write", path)(error)),
        },
    };
    // Checks the open file, not the path, which could be replaced in between.
    let kind = file.metadata().map_err(Error::io("read", path))?;
    if !kind.is_file() {
        return Err(not_a_file(path, kind.file_type()));
    }
    #[cfg(unix)]
    {
        let links = std::os::unix::fs::MetadataExt::nlink(&kind);
        // 0 links: another process just removed the file, and will create a new one.
        if links > 1 {
            return Err(Error::mismatch(path, "links", 1, links));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn file_is_created_and_never_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(open_existing(&path).unwrap().is_none());
        open(&path).unwrap().write_all(b"abc").unwrap();
        open(&path).unwrap();
        open_existing(&path).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_an_error_and_their_targets_stay() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("precious"), "mine").unwrap();
        fs::hard_link(at("precious"), at("hard")).unwrap();
        symlink(at("precious"), at("soft")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, message) in [
            ("hard", "links: expected 1, found 2"),
            ("soft", "kind: expected a file, found a symbolic link"),
            ("dangling", "kind: expected a file, found a symbolic link"),
            ("device", "kind: expected a file, found a symbolic link"),
            ("folder", "kind: expected a file, found a folder"),
        ] {
            let expected = format!("{}: {message}", at(name).display());
            assert_eq!(open(&at(name)).unwrap_err().to_string(), expected);
            assert_eq!(open_existing(&at(name)).unwrap_err().to_string(), expected);
        }
        assert_eq!(fs::read(at("precious")).unwrap(), b"mine");
        assert!(!at("nowhere").exists());
        // A linked folder on the path is allowed.
        symlink(folder.path(), at("way")).unwrap();
        open(&at("way").join("new")).unwrap();
        assert!(at("new").exists());
    }
}
