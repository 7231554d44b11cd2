//! Lock files: one writer at a time, and who it is.
//!
//! A lock file is never removed: two processes could hold locks on two files of one name.
//! The system's own lock on the file decides, and ends with the process. The text in the
//! file is for people. If the lock is free and the file names an owner, that process was
//! killed ([`Lock::previous_owner`]).
//!
//! The file's name is fixed, so a file of the user's may have it, or a link to one. A link
//! is refused ([`interrogate::output`]), and so is a file that is neither empty nor a lock
//! file. Neither is written.

mod owner;

pub use owner::LockOwner;

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use interrogate::limits::LOCK as MAX_BYTES;
use interrogate::{Error, Result, output};
use serde_json::{Map, Value};

/// The name of the lock file in an index's folder.
pub(crate) const BUILD_LOCK: &str = "build.lock";

/// A lock that this process holds. It is released when dropped, or by the system when the
/// process ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    owner: LockOwner,
    previous: Option<LockOwner>,
    stored: String,
}

impl Lock {
    /// Acquires the lock at `path`, and creates the file if it is missing. Where another
    /// process holds the lock, the inner error is that process, if it can be read.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be created or locked; [`Error::Mismatch`] for a
    /// link, and for a file that is neither empty nor a lock file.
    pub fn acquire(path: &Path) -> Result<std::result::Result<Self, Option<LockOwner>>> {
        let file = output::open(path)?;
        let is_free = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        };
        let content = read(&file);
        if !is_free {
            return Ok(Err(content.ok().flatten().and_then(|(owner, _)| owner)));
        }
        let Some((previous, stored)) = content.map_err(Error::io("read", path))? else {
            let expected = "an empty file, or what a run left here";
            return Err(Error::mismatch(path, "content", expected, "a file of another program"));
        };
        let (path, owner) = (path.to_owned(), LockOwner::current());
        let lock = Lock { path, file, owner, previous, stored };
        // Ignore errors: the lock holds without the owner's name.
        let _ = lock.write(Some(&lock.owner.to_line()));
        Ok(Ok(lock))
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The process that was killed while it held the lock, if the last one was.
    pub fn previous_owner(&self) -> Option<&LockOwner> {
        self.previous.as_ref()
    }

    /// The line of JSON that an earlier owner [stored](Self::store); empty if none did.
    pub fn stored(&self) -> &str {
        &self.stored
    }

    /// Stores `values`, as a line of JSON, in the file for later owners.
    ///
    /// # Errors
    /// The system's.
    pub fn store(&mut self, values: &Map<String, Value>) -> io::Result<()> {
        self.stored = serde_json::to_string(values)?;
        self.write(Some(&self.owner.to_line()))
    }

    /// Overwrites the file, then truncates it: the stored line is in the file at every
    /// moment.
    fn write(&self, owner: Option<&str>) -> io::Result<()> {
        let text = match (owner, self.stored.as_str()) {
            (None, "") => String::new(),
            (owner, stored) => format!("{}\n{stored}\n", owner.unwrap_or_default()),
        };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.write(None);
    }
}

/// Reads the owner and the stored line; `None` where the file is not a lock file.
fn read(mut file: &File) -> io::Result<Option<(Option<LockOwner>, String)>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= MAX_BYTES;
    Ok(String::from_utf8(bytes).ok().filter(|_| fits).and_then(|text| parse(&text)))
}

/// Parses a lock file. It is empty, or has a line for the owner, empty if the lock is free,
/// and the stored line. Text after these two was left by a killed process and
/// is ignored.
fn parse(text: &str) -> Option<(Option<LockOwner>, String)> {
    if text.is_empty() {
        return Some((None, String::new()));
    }
    let (first, rest) = text.split_once('\n')?;
    let stored = rest.split_once('\n').map_or("", |(stored, _)| stored);
    let is_json = || serde_json::from_str::<Map<String, Value>>(stored).is_ok();
    match LockOwner::parse(first) {
        Some(owner) if stored.is_empty() || is_json() => Some((Some(owner), stored.to_owned())),
        None if first.is_empty() && is_json() => Some((None, stored.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;

    fn acquired(path: &Path) -> Lock {
        Lock::acquire(path).unwrap().unwrap()
    }

    #[test]
    fn second_process_learns_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BUILD_LOCK);
        let first = acquired(&path);
        let owner = Lock::acquire(&path).unwrap().unwrap_err().unwrap();
        assert_eq!(owner, first.owner);
        assert_eq!(owner.pid, process::id());
        drop(first);
        assert_eq!(acquired(&path).previous_owner(), None);
        assert_eq!(fs::read(path).unwrap(), b"");
    }

    #[test]
    fn lock_of_a_killed_process_is_acquired_with_what_it_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BUILD_LOCK);
        let stored = r#"{"what":"was stored, and longer than the next"}"#;
        fs::write(&path, format!("4711 1764057600 atlas\n{stored}\n")).unwrap();
        let mut lock = acquired(&path);
        let previous = lock.previous_owner().unwrap().to_string();
        assert_eq!(previous, "pid 4711 on atlas, since 2025-11-25 08:00 UTC");
        assert_eq!(lock.stored(), stored);
        lock.store(&Map::from_iter([("a".to_owned(), "b".into())])).unwrap();
        drop(lock);
        assert_eq!(fs::read(&path).unwrap(), b"\n{\"a\":\"b\"}\n");
        let lock = acquired(&path);
        assert_eq!((lock.previous_owner(), lock.stored()), (None, r#"{"a":"b"}"#));
    }

    #[test]
    fn text_after_the_stored_line_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BUILD_LOCK);
        // Shorter lines over longer ones, killed before the file was truncated.
        for (text, has_owner) in [
            ("47 1764057600\nas\n", false),
            ("47 1764057600\n", true),
            ("47 1764057600 atlas", false),
            ("47 1764057600\n{}\n\":1}\n", true),
            ("\n{}\nrest", false),
        ] {
            fs::write(&path, text).unwrap();
            match Lock::acquire(&path) {
                Ok(lock) => {
                    assert_eq!(lock.unwrap().previous_owner().is_some(), has_owner, "{text:?}");
                }
                Err(_) => assert!(!has_owner && !text.starts_with('\n'), "{text:?}"),
            }
        }
    }

    #[test]
    fn file_of_another_program_is_refused_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BUILD_LOCK);
        let long = vec![b'\n'; MAX_BYTES as usize + 1];
        for text in [
            &b"4711\n"[..],
            b"x y z\n",
            b"\xff\xff",
            b"\n\n\n",
            b"-1 5 h\n",
            b"\nnotes\n",
            b"1 2 3 4\n",
            &long,
        ] {
            fs::write(&path, text).unwrap();
            let error = Lock::acquire(&path).unwrap_err().to_string();
            let tail = "content: expected an empty file, or what a run left here, \
                        found a file of another program";
            assert_eq!(error, format!("{}: {tail}", path.display()));
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn link_is_refused_and_its_target_unchanged() {
        for link in [
            |to: &Path, at: &Path| fs::hard_link(to, at),
            |to: &Path, at: &Path| std::os::unix::fs::symlink(to, at),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (mine, path) = (folder.path().join("mine"), folder.path().join(BUILD_LOCK));
            fs::write(&mine, "").unwrap();
            link(&mine, &path).unwrap();
            let error = Lock::acquire(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), b"");
        }
    }
}
