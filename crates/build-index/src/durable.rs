//! Files that are there whole or not at all.
//!
//! A file is written under a temporary name in its own folder, synced, and
//! renamed. What it holds is for `writer` and `build`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use interrogate::Error as LibraryError;
use tempfile::NamedTempFile;

use crate::Result;

/// What temporary names begin with. A killed build leaves such files, and the
/// next one sweeps them.
pub(crate) const TEMPORARY: &str = ".build-";

/// A file in the making; gone again when dropped before [`persist`](Self::persist).
pub(crate) struct Draft {
    folder: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Draft {
    /// Begins a file in `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // A temporary file is its owner's alone by default and would stay so
        // under its final name. Asked for 0666, it gets what the umask leaves.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(LibraryError::io("write to", folder))?;
        Ok(Draft { folder: folder.to_owned(), file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Appends `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(LibraryError::io("write to", &self.folder))?)
    }

    /// Brings the file to the disk and gives it its name, in place of any file
    /// that has it. The name itself is on the disk after [`sync_folder`].
    pub(crate) fn persist(self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        let file = file.map_err(LibraryError::io("write", &path))?;
        file.as_file().sync_all().map_err(LibraryError::io("write", &path))?;
        file.persist(&path).map_err(|e| LibraryError::io("write", &path)(e.error))?;
        Ok(())
    }
}

/// Brings the names in a folder to the disk. Where folders cannot be synced
/// (Windows), nothing is done.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let sync = File::open(folder).and_then(|file| file.sync_all());
        sync.map_err(LibraryError::io("write to", folder))?;
    }
    Ok(())
}

/// Makes `folder`, and those above it, and brings its own name to the disk.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(LibraryError::io("create", folder))?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// Removes the files of `folder` whose names `unwanted` picks. What cannot be
/// removed stays: it costs space and harms nothing.
pub(crate) fn sweep(folder: &Path, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(LibraryError::io("read", folder))? {
        let entry = entry.map_err(LibraryError::io("read", folder))?;
        if entry.file_name().to_str().is_some_and(&unwanted) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_has_its_name_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = Draft::create(folder.path()).unwrap();
        draft.write(b"abc").unwrap();
        assert!(names(folder.path())[0].starts_with(TEMPORARY));
        draft.persist("x").unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"abc");
    }

    #[test]
    fn a_draft_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Draft::create(folder.path()).unwrap().write(b"abc").unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        Draft::create(folder.path()).unwrap().persist("drafted").unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("drafted"), mode("plain"));
    }

    #[test]
    fn a_sweep_takes_what_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        sweep(folder.path(), |name| name == "a").unwrap();
        assert_eq!(names(folder.path()), ["b"]);
    }
}
