//! What identifies a file that exists, whatever path leads to it.

#[cfg(not(unix))]
use std::path::PathBuf;
use std::{io, path::Path};

/// The identity of a file or folder that exists: device and inode on Unix, the
/// canonical path elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl Id {
    /// Returns the identity of the file or folder at `path`; links are followed. Costs
    /// one system call on Unix.
    ///
    /// # Errors
    /// The system's error, such as that nothing exists at `path`.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(path).map(|file| Id::Inode(file.dev(), file.ino()))
        }
        #[cfg(not(unix))]
        path.canonicalize().map(Id::Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_file_have_one_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "").unwrap();
        std::fs::write(path("b"), "").unwrap();
        assert_eq!(Id::of(&path("a")).unwrap(), Id::of(&path("./a")).unwrap());
        assert_ne!(Id::of(&path("a")).unwrap(), Id::of(&path("b")).unwrap());
        assert!(Id::of(&path("missing")).is_err());
    }
}
