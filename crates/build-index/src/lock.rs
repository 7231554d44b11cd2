//! One builder at a time in an index's folder.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;

use interrogate::Error as LibraryError;

use crate::{Error, Result};

/// The file that is locked. It stays, empty, after the build: to remove it
/// would let two builders hold locks on two files of one name.
pub(crate) const LOCK: &str = "build.lock";

/// The right to build in a folder, given back when dropped, or by the system
/// when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// [`Error::Locked`] where another builder has it.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(LibraryError::io("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok().and_then(|pid| pid.trim().parse().ok());
                return Err(Error::Locked { path: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(LibraryError::io("lock", &path)(error))?,
        }
        // The id is a courtesy to whoever finds the lock taken.
        let pid = format!("{}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err();
        let pid = std::process::id();
        let expected =
            format!("{} is being built by another process (pid {pid})", folder.path().display());
        assert_eq!(error.to_string(), expected);
        drop(first);
        Lock::take(folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join(LOCK)).unwrap(), b"");
    }
}
