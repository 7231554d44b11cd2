//! Files that are written whole or not at all.
//!
//! A [`Draft`] is a temporary file in the folder of the final file. It is synced and then
//! renamed. The files of an index, and the program's tables, pages and sidecars are
//! written so.
//!
//! A process that is killed leaves its drafts behind. Each process holds the system's lock
//! on its drafts, which ends with the process, so an unlocked draft is a leftover.
//! In a folder with the lock file of builds, only the build that holds this lock removes
//! leftovers; elsewhere [`sweep`] does.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use interrogate::{Error, Result};
use tempfile::NamedTempFile;

use crate::lock::{BUILD_LOCK, Lock};

/// A draft's name is this, [`RANDOM`] letters and digits, and [`SUFFIX`]. The final name is
/// no part of it, as that may have the maximum length already.
const PREFIX: &str = ".interrogate-";
const SUFFIX: &str = ".part";
const RANDOM: usize = 12;

/// Drafts that are tried before [`Draft::create`] fails.
const TRIES: usize = 16;

/// A file that is being written. It is removed when dropped before
/// [`persist`](Self::persist).
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Draft {
    /// Creates a file in `folder`, with the mode that the umask leaves.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is missing or cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        let file = create_locked(folder).map_err(Error::io("write to", folder))?;
        Ok(Draft { folder: folder.to_owned(), file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Creates a file that is to be renamed to `path`, and [sweeps](sweep) the folder.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub fn beside(path: &Path) -> Result<Self> {
        let folder = folder_of(path);
        // Ignore errors: a folder that cannot be listed may still be written.
        let _ = sweep(folder);
        Draft::create(folder)
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path of the folder, as the file has no name yet.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write to", &self.folder))
    }

    /// Overwrites the first bytes of the file; what is appended later follows its end.
    ///
    /// # Errors
    /// [`Error::Io`] with the path of the folder, as the file has no name yet.
    pub fn overwrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        let overwritten = self.file.seek(SeekFrom::Start(0)).and_then(|_| {
            self.file.write_all(bytes)?;
            self.file.seek(SeekFrom::End(0))
        });
        overwritten.map(drop).map_err(Error::io("write to", &self.folder))
    }

    /// Syncs the file and renames it to `path`, in the same folder. A file of that name is
    /// replaced. The name is synced too.
    ///
    /// # Errors
    /// [`Error::Io`]; a file that was at `path` is unchanged then.
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

/// Creates a temporary file in `folder`, locked for as long as it is open.
fn create_locked(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    // By default only the owner may read a temporary file, and the final file would keep
    // that mode. With 0666 it gets what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Before it was locked, a sweep locked it, or removed it.
            Ok(()) if !file.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            // Where files cannot be locked, sweeps remove nothing.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Returns the folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes the drafts in `folder` that killed processes left there. In the folder of a
/// build, which has a lock file, nothing is removed. A file that cannot be removed is
/// skipped.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub fn sweep(folder: &Path) -> Result<()> {
    match folder.join(BUILD_LOCK).symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => remove_leftovers(folder),
        _ => Ok(()),
    }
}

/// Removes the drafts that killed builds left in the folder of `lock`, as [`sweep`] does
/// elsewhere.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub(crate) fn sweep_build(lock: &Lock) -> Result<()> {
    remove_leftovers(folder_of(lock.path()))
}

/// Removes the files in the folder of `lock` whose names `unwanted` matches. A file that
/// cannot be removed is skipped.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub(crate) fn remove_files(lock: &Lock, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    for_each_file(folder_of(lock.path()), |name, path| {
        if unwanted(name) {
            let _ = fs::remove_file(path);
        }
    })
}

fn remove_leftovers(folder: &Path) -> Result<()> {
    for_each_file(folder, |name, path| {
        // The lock is held until the file is removed: a process that has created the file
        // and not yet locked it then meets the lock, or finds the file removed.
        if is_draft(name)
            && let Some(_lock) = lock_leftover(path)
        {
            let _ = fs::remove_file(path);
        }
    })
}

/// Calls `f` with the name and path of each file in `folder` whose name is UTF-8.
fn for_each_file(folder: &Path, f: impl Fn(&str, &Path)) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        if let Some(name) = entry.file_name().to_str() {
            f(name, &entry.path());
        }
    }
    Ok(())
}

/// Whether a name is a draft's.
fn is_draft(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Opens and locks the file at `path`; `None` where another process holds its lock, or
/// where that is unknown.
fn lock_leftover(path: &Path) -> Option<File> {
    if !fs::symlink_metadata(path).is_ok_and(|kind| kind.is_file()) {
        return None;
    }
    let file = File::open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// Syncs the names in a folder. Where folders cannot be synced (Windows, some file
/// systems, one that may not be read), nothing is done.
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

/// Creates `folder` and its parents, and syncs its name.
///
/// # Errors
/// [`Error::Io`] with `folder`.
pub fn create_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    sync_folder(folder_of(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The draft of a killed process.
    const LEFTOVER: &str = ".interrogate-0123456789ab.part";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn persisted_draft_has_the_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = Draft::create(folder.path()).unwrap();
        draft.write_all(b"abc").unwrap();
        assert!(is_draft(&names(folder.path())[0]));
        draft.persist(&folder.path().join("x")).unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"abc");
    }

    #[test]
    fn start_of_a_draft_is_overwritten_and_appending_continues_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = Draft::create(folder.path()).unwrap();
        draft.append(b"abcdef").unwrap();
        draft.overwrite_start(b"XY").unwrap();
        draft.append(b"g").unwrap();
        draft.persist(&folder.path().join("x")).unwrap();
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"XYcdefg");
    }

    #[test]
    fn dropped_draft_is_removed_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "before").unwrap();
        Draft::beside(&path).unwrap().write_all(b"abc").unwrap();
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(fs::read(path).unwrap(), b"before");
    }

    #[cfg(unix)]
    #[test]
    fn file_mode_follows_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("plain"), "").unwrap();
        Draft::create(folder.path()).unwrap().persist(&path("draft")).unwrap();
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode();
        assert_eq!(mode("draft"), mode("plain"));
    }

    #[test]
    fn sweep_removes_leftovers_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        // A leftover, and names that are no draft's.
        for name in [LEFTOVER, ".interrogate-notes.part", ".interrogate-0123456789a_.part", "x"] {
            fs::write(path(name), "").unwrap();
        }
        let draft = Draft::create(folder.path()).unwrap();
        sweep(folder.path()).unwrap();
        assert!(!path(LEFTOVER).exists());
        assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
        draft.persist(&path("final")).unwrap();
        assert!(path("final").exists());
    }

    #[test]
    fn folder_of_a_build_is_swept_only_under_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let lock = Lock::acquire(&path(BUILD_LOCK)).unwrap().unwrap();
        let draft = Draft::create(folder.path()).unwrap();
        fs::write(path(LEFTOVER), "").unwrap();
        sweep(folder.path()).unwrap();
        drop(Draft::beside(&path("x")).unwrap());
        assert!(path(LEFTOVER).exists(), "the lock is held");
        sweep_build(&lock).unwrap();
        assert!(!path(LEFTOVER).exists());
        draft.persist(&path("final")).unwrap();

        fs::write(path(LEFTOVER), "").unwrap();
        drop(lock); // its file stays
        sweep(folder.path()).unwrap();
        assert!(path(LEFTOVER).exists(), "the next build removes it");
        sweep_build(&Lock::acquire(&path(BUILD_LOCK)).unwrap().unwrap()).unwrap();
        assert_eq!(names(folder.path()), [BUILD_LOCK, "final"]);
    }

    #[test]
    fn files_of_an_index_are_removed_under_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let lock = Lock::acquire(&folder.path().join(BUILD_LOCK)).unwrap().unwrap();
        remove_files(&lock, |name| name == "a").unwrap();
        assert_eq!(names(folder.path()), ["b", BUILD_LOCK]);
    }

    #[test]
    fn final_name_may_have_the_maximum_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        Draft::beside(&path).unwrap().persist(&path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn concurrent_sweeps_remove_no_draft_in_use() {
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
