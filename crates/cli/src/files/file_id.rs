//! The identity of an existing file.

use std::io;
use std::path::Path;

/// The identity of an existing file: the same for all its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileId {
    /// Device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The canonical path.
    #[cfg(not(unix))]
    Path(std::path::PathBuf),
}

impl FileId {
    /// Identifies the file or folder at `path`; links are followed. Costs one system call on
    /// Unix.
    ///
    /// # Errors
    /// The system's, where the file is missing.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(path).map(|file| FileId::Inode(file.dev(), file.ino()))
        }
        #[cfg(not(unix))]
        path.canonicalize().map(FileId::Path)
    }
}
