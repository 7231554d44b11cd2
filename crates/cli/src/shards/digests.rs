//! The digests of inputs and models: SHA-256 of their contents.
//!
//! A digest is kept in a file with the paths, sizes and times of what was read, so that a file
//! that has not changed is read once.

use std::fs::{self, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf, absolute};

use build_index::durable::{Draft, create_folder};
use interrogate::index::{Digest, Hasher};
use interrogate::{Error, Result, input, limits};
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 20;

/// Kept digests of a folder of shards.
#[derive(Debug)]
pub(super) struct Digests {
    folder: PathBuf,
}

/// A file of an input.
#[derive(Clone, Debug)]
pub(super) struct InputFile {
    /// The name that the digest covers.
    pub(super) name: String,
    /// The file; `None` for an address, whose name alone counts.
    pub(super) path: Option<PathBuf>,
    /// Whether a file that cannot be read is an error; else it counts as missing.
    pub(super) required: bool,
}

/// A digest and the state of the files that it was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digested {
    pub(super) digest: Digest,
    /// The digest of paths, sizes and times.
    pub(super) state: Digest,
}

/// What is kept on the disk.
#[derive(Deserialize, Serialize)]
struct Kept {
    state: Digest,
    digest: Digest,
}

impl Digests {
    /// Keeps digests in `folder`, which is created.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        create_folder(&folder)?;
        Ok(Digests { folder })
    }

    /// Returns the digest of `files`, which are read unless it is kept.
    ///
    /// # Errors
    /// [`Error::Io`] for a required file; [`Error::Mismatch`] for one that changes while it is
    /// read; [`Error::Interrupted`].
    pub(super) fn of(&self, files: &[InputFile]) -> Result<Digested> {
        if let Some(kept) = self.kept(files) {
            return Ok(kept);
        }
        let state = state(files);
        let mut hasher = Hasher::default();
        for file in files {
            part(&mut hasher, file.name.as_bytes());
            if let Some(path) = &file.path {
                match content(path) {
                    Ok(digest) => part(&mut hasher, digest.as_bytes()),
                    Err(error @ Error::Interrupted) => return Err(error),
                    Err(error) if file.required => return Err(error),
                    Err(_) => part(&mut hasher, b"missing"),
                }
            }
        }
        let digested = Digested { digest: hasher.finish(), state };
        if self::state(files) != state {
            let name = files.first().map(|file| file.name.clone()).unwrap_or_default();
            let path = files.first().and_then(|file| file.path.clone());
            let path = path.unwrap_or_else(|| name.into());
            return Err(Error::mismatch(path, "input", "no change while it is read", "one"));
        }
        self.keep(files, digested);
        Ok(digested)
    }

    /// Returns the kept digest of `files`, if none of them has changed since. Reads none.
    pub(super) fn kept(&self, files: &[InputFile]) -> Option<Digested> {
        let text = input::read_text(&self.path(files), limits::LOCK).ok()?;
        let Kept { state, digest } = serde_json::from_str(&text).ok()?;
        (self::state(files) == state).then_some(Digested { digest, state })
    }

    /// Keeps a digest. Ignores errors: without it, the files are read again.
    fn keep(&self, files: &[InputFile], Digested { digest, state }: Digested) {
        let path = self.path(files);
        let write = || -> Option<()> {
            let mut draft = Draft::beside(&path).ok()?;
            draft.append(&serde_json::to_vec(&Kept { state, digest }).ok()?).ok()?;
            draft.persist(&path).ok()
        };
        let _ = write();
    }

    /// The file of the digest of `files`.
    fn path(&self, files: &[InputFile]) -> PathBuf {
        let mut hasher = Hasher::default();
        for file in files {
            part(&mut hasher, file.name.as_bytes());
            part(&mut hasher, full(file).as_os_str().as_encoded_bytes());
        }
        self.folder.join(&hasher.finish().to_string()[..32])
    }
}

/// Returns the digest of paths, sizes and times of `files`. A file that cannot be found counts as
/// missing.
pub(super) fn state(files: &[InputFile]) -> Digest {
    let mut hasher = Hasher::default();
    for file in files {
        part(&mut hasher, full(file).as_os_str().as_encoded_bytes());
        match file.path.as_ref().map(fs::metadata) {
            Some(Ok(metadata)) => times(&mut hasher, &metadata),
            Some(Err(_)) => part(&mut hasher, b"missing"),
            None => {}
        }
    }
    hasher.finish()
}

/// The absolute path of a file; the name of an address.
fn full(file: &InputFile) -> PathBuf {
    let path = file.path.as_deref().unwrap_or(Path::new(&file.name));
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Adds the size and the times of change.
fn times(hasher: &mut Hasher, metadata: &Metadata) {
    hasher.update(&metadata.len().to_le_bytes());
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    hasher.update(&modified.unwrap_or_default().as_nanos().to_le_bytes());
    #[cfg(unix)]
    {
        // A copy that keeps the time of its source has its own time of change.
        use std::os::unix::fs::MetadataExt;
        hasher.update(&metadata.ctime().to_le_bytes());
        hasher.update(&metadata.ctime_nsec().to_le_bytes());
    }
}

/// Adds bytes after their number.
pub(super) fn part(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Returns the digest of the content of the file at `path`.
fn content(path: &Path) -> Result<Digest> {
    let mut file = input::open(path)?;
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; BUFFER]);
    loop {
        if interrupt::interrupted() {
            return Err(Error::Interrupted);
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, required: bool) -> InputFile {
        InputFile { name: "a".to_owned(), path: Some(path.to_owned()), required }
    }

    #[test]
    fn digest_is_of_the_content_and_kept_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let digests = Digests::open(path("kept")).unwrap();
        fs::write(path("x"), "one").unwrap();
        fs::write(path("y"), "one").unwrap();
        let [x, y] = ["x", "y"].map(|name| [file(&path(name), true)]);
        assert_eq!(digests.kept(&x), None);
        let first = digests.of(&x).unwrap();
        assert_eq!(digests.kept(&x), Some(first));
        let copy = digests.of(&y).unwrap();
        assert_eq!(copy.digest, first.digest, "the path does not count");
        fs::write(path("x"), "two").unwrap();
        assert_eq!(digests.kept(&x), None);
        assert_ne!(digests.of(&x).unwrap().digest, first.digest);
        fs::write(path("x"), "one").unwrap();
        assert_eq!(digests.of(&x).unwrap().digest, first.digest, "the time does not count");
    }

    #[test]
    fn damaged_record_of_a_digest_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let digests = Digests::open(folder.path().join("kept")).unwrap();
        fs::write(folder.path().join("x"), "one").unwrap();
        let files = [file(&folder.path().join("x"), true)];
        let first = digests.of(&files).unwrap();
        fs::write(digests.path(&files), "{\"state\":").unwrap();
        assert_eq!(digests.kept(&files), None);
        assert_eq!(digests.of(&files).unwrap(), first);
        assert_eq!(digests.kept(&files), Some(first));
    }

    #[test]
    fn missing_file_is_an_error_only_if_it_is_required() {
        let folder = tempfile::tempdir().unwrap();
        let digests = Digests::open(folder.path().join("kept")).unwrap();
        let gone = folder.path().join("gone");
        let error = digests.of(&[file(&gone, true)]).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
        let without = digests.of(&[file(&gone, false)]).unwrap();
        fs::write(&gone, "").unwrap();
        assert_ne!(digests.of(&[file(&gone, false)]).unwrap(), without);
    }
}
