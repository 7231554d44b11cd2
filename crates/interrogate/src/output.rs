//! Files under fixed names, opened to be written: a link is never followed.
//!
//! A lock, a journal and a partial download have names that anyone can guess, in
//! folders that others may write to. A symbolic or hard link under such a name would
//! turn a write into one to a file of the user's. [`open`] and [`open_existing`] are
//! the only ways to open one. What is written is for the callers.
//!
//! What the file holds is not looked at here. The device is not compared with the
//! folder's: overlay file systems give a file another number than its folder.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use crate::input::not_a_file;
use crate::{Error, Result};

/// Opens the file at `path` to be read and written, and creates it where there is
/// none. Nothing is truncated, and nothing is waited for.
///
/// On Windows, hard links are not told from files: the standard library does not
/// count names there.
///
/// # Errors
/// [`Error::Mismatch`] for a symbolic link, for a file that has another name as
/// well (a hard link), and for what is no regular file; [`Error::Io`].
pub fn open(path: &Path) -> Result<File> {
    checked(path, true)
}

/// The same for a file that exists; `None` where there is none.
///
/// # Errors
/// Those of [`open`].
pub fn open_existing(path: &Path) -> Result<Option<File>> {
    match checked(path, false) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn checked(path: &Path, create: bool) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(create).truncate(false);
    // A pipe is opened at once instead of waited for, and then refused.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NOFOLLOW | libc::O_NONBLOCK,
    );
    // FILE_FLAG_OPEN_REPARSE_POINT: the link itself, which is then refused.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, 0x0020_0000);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) => match fs::symlink_metadata(path) {
            Ok(kind) if !kind.is_file() => return Err(not_a_file(path, kind.file_type())),
            _ => return Err(Error::io("write", path)(error)),
        },
    };
    // Asked of the open file, so that no other can have come between.
    let kind = file.metadata().map_err(Error::io("read", path))?;
    if !kind.is_file() {
        return Err(not_a_file(path, kind.file_type()));
    }
    #[cfg(unix)]
    {
        let links = std::os::unix::fs::MetadataExt::nlink(&kind);
        // Without a name, it was removed just now: whoever did so begins another.
        if links > 1 {
            return Err(Error::mismatch(path, "links", "a file of one name", links));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_created_once_and_never_truncated() {
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
    fn links_are_refused_and_what_they_lead_to_stays() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("precious"), "mine").unwrap();
        fs::hard_link(at("precious"), at("hard")).unwrap();
        symlink(at("precious"), at("soft")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        for (name, said) in [
            ("hard", "links: expected a file of one name, found 2"),
            ("soft", "kind: expected a file, found a symbolic link"),
            ("dangling", "kind: expected a file, found a symbolic link"),
            ("device", "kind: expected a file, found a symbolic link"),
            ("folder", "kind: expected a file, found a folder"),
        ] {
            let expected = format!("{}: {said}", at(name).display());
            assert_eq!(open(&at(name)).unwrap_err().to_string(), expected);
            assert_eq!(open_existing(&at(name)).unwrap_err().to_string(), expected);
        }
        assert_eq!(fs::read(at("precious")).unwrap(), b"mine");
        assert!(!at("nowhere").exists());
        // A link on the way is the user's own business.
        symlink(folder.path(), at("way")).unwrap();
        open(&at("way").join("new")).unwrap();
        assert!(at("new").exists());
    }
}
