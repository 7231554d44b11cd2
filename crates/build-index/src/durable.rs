//! Files that are there whole or not at all.
//!
//! A file grows under a name of its own in the folder where it is to stand, is
//! synced, and takes its place by a rename. So does everything that this project
//! writes whole: the files of an index here, and the program's tables, pages and
//! sidecars. What the files hold is for whoever writes them.
//!
//! A process that is killed leaves its [`Draft`]s behind. They are known by their
//! names, and that nobody makes them any more by a lock which the system takes
//! back when the maker dies: [`sweep`] removes those, and leaves the ones that
//! grow.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use interrogate::{Error, Result};
use tempfile::NamedTempFile;

/// What the names of drafts begin and end with; between stand [`RANDOM`] letters
/// and digits.
const BEGINNING: &str = ".interrogate-";
const ENDING: &str = ".part";
const RANDOM: usize = 12;

/// Names that are tried before a folder is given up.
const TRIES: usize = 16;

/// A file in the making; gone again when it is dropped before
/// [`persist`](Self::persist).
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Draft {
    /// Begins a file in `folder`. It gets the mode that the umask leaves.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is absent or cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        let file = unnamed(folder).map_err(Error::io("write to", folder))?;
        Ok(Draft { folder: folder.to_owned(), file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Begins a file that is to stand at `path`, and removes what killed runs have
    /// left in its folder.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub fn beside(path: &Path) -> Result<Self> {
        let folder = folder_of(path);
        // A folder that cannot be listed can be written all the same.
        let _ = sweep(folder);
        Draft::create(folder)
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`Error::Io`], which names the folder: the file has no name yet.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write to", &self.folder))
    }

    /// Brings the file to the disk and lets it stand at `path`, which is in its
    /// folder, in place of any file that is there. When this returns, the name is on
    /// the disk too.
    ///
    /// # Errors
    /// [`Error::Io`]: what stood at `path` stands there still.
    pub fn persist(self, path: &Path) -> Result<()> {
        let write = |error| Error::io("write", path)(error);
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        let file = file.map_err(write)?;
        file.as_file().sync_all().map_err(write)?;
        file.persist(path).map_err(|e| write(e.error))?;
        sync_folder(&self.folder)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A new file in `folder`, locked for as long as it is open.
fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(BEGINNING).suffix(ENDING).rand_bytes(RANDOM);
    // A temporary file is its owner's alone by default and would stay so under its
    // final name. Asked for 0666, it gets what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Between its birth and its lock a sweep may have taken it for a leftover.
            Ok(()) if !file.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            // Where files cannot be locked, sweeps leave them all alone.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// The folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes the drafts in `folder` whose makers are dead. What cannot be removed
/// stays: it costs space and harms nothing.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub fn sweep(folder: &Path) -> Result<()> {
    remove_each(folder, |name, path| is_draft(name).then(|| unheld(path)).flatten().map(Some))
}

/// Removes the files of `folder` whose names `unwanted` picks, as [`sweep`] does.
pub(crate) fn remove(folder: &Path, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    remove_each(folder, |name, _| unwanted(name).then_some(None))
}

/// Removes the files for which `unwanted` gives something, while what it gives lives:
/// a lock of the file, or none.
fn remove_each(
    folder: &Path,
    unwanted: impl Fn(&str, &Path) -> Option<Option<File>>,
) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let path = entry.path();
        if let Some(_held) = entry.file_name().to_str().and_then(|name| unwanted(name, &path)) {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Whether a name is a draft's.
fn is_draft(name: &str) -> bool {
    let random = name.strip_prefix(BEGINNING).and_then(|rest| rest.strip_suffix(ENDING));
    random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The file at `path`, locked by us, where nobody else holds its lock and that can be
/// told. It must be held until the file is removed: a maker whose file was born but
/// not yet locked then meets a lock, or finds its file gone, and begins another.
fn unheld(path: &Path) -> Option<File> {
    if !fs::symlink_metadata(path).is_ok_and(|kind| kind.is_file()) {
        return None;
    }
    let file = File::open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// Brings the names in a folder to the disk. Where folders cannot be synced
/// (Windows, some file systems, one that may not be read), nothing is done.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let sync = File::open(folder).and_then(|file| file.sync_all());
        match sync.as_ref().map_err(|e| e.kind()) {
            Err(ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            }
            _ => sync.map_err(Error::io("write to", folder))?,
        }
    }
    Ok(())
}

/// Makes `folder`, and those above it, and brings its own name to the disk.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    sync_folder(folder_of(folder))
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
        draft.write_all(b"abc").unwrap();
        assert!(is_draft(&names(folder.path())[0]));
        draft.persist(&folder.path().join("x")).unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"abc");
    }

    #[test]
    fn a_draft_given_up_leaves_nothing_and_what_stood_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "before").unwrap();
        Draft::beside(&path).unwrap().write_all(b"abc").unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(fs::read(path).unwrap(), b"before");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("plain"), "").unwrap();
        Draft::create(folder.path()).unwrap().persist(&path("drafted")).unwrap();
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode();
        assert_eq!(mode("drafted"), mode("plain"));
    }

    #[test]
    fn a_sweep_takes_what_the_dead_have_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let left = ".interrogate-0123456789ab.part";
        // Ours in form alone, and not in form.
        for name in [left, ".interrogate-notes.part", ".interrogate-0123456789a_.part", "x"] {
            fs::write(path(name), "").unwrap();
        }
        let growing = Draft::create(folder.path()).unwrap();
        sweep(folder.path()).unwrap();
        assert!(!path(left).exists());
        assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
        growing.persist(&path("grown")).unwrap();
        assert!(path("grown").exists());
    }

    #[test]
    fn however_long_a_name_is_its_draft_has_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        Draft::beside(&path).unwrap().persist(&path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn many_sweep_while_many_write_and_no_file_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    for n in 0..100 {
                        let path = folder.join(format!("{thread}-{n}"));
                        let mut draft = Draft::beside(&path).unwrap();
                        draft.write_all(path.to_str().unwrap().as_bytes()).unwrap();
                        draft.persist(&path).unwrap();
                    }
                });
            }
        });
        for name in names(folder.path()) {
            let path = folder.path().join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), path.to_str().unwrap());
        }
        assert_eq!(names(folder.path()).len(), 400);
    }
}
