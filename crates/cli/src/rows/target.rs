//! Where rows go: standard output, or a file that takes its name when it is whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use build_index::durable::Draft;

use super::Error;
use crate::logger;

/// Standard output, or a file beside the one that was named.
pub(super) enum Target {
    Stdout(BufWriter<Box<dyn Write + Send>>),
    File { path: PathBuf, draft: Draft },
}

impl Target {
    pub(super) fn stdout() -> Self {
        Target::Stdout(BufWriter::new(logger::stdout()))
    }

    /// A draft in the folder of `path`.
    pub(super) fn file(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            let source = io::ErrorKind::IsADirectory.into();
            return Err(Error::Write { path: path.to_owned(), source });
        }
        Ok(Target::File { path: path.to_owned(), draft: Draft::beside(path)? })
    }

    /// The name for messages.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Target::Stdout(_) => PathBuf::from("standard output"),
            Target::File { path, .. } => path.clone(),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(|source| Error::Write { path: self.path(), source })
    }

    /// What was written stands under its name, on the disk.
    pub(super) fn finish(self) -> Result<(), Error> {
        let path = self.path();
        match self {
            Target::Stdout(mut out) => out.flush().map_err(|source| Error::Write { path, source }),
            Target::File { path, draft } => Ok(draft.persist(&path)?),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stdout(out) => out.write(bytes),
            Target::File { draft, .. } => draft.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Stdout(out) => out.flush(),
            Target::File { draft, .. } => draft.flush(),
        }
    }
}
