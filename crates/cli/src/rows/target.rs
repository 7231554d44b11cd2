//! A file that takes its name when it is whole.

use std::io::{self, BufWriter, Stdout, Write, stdout};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Error;

/// Standard output, or a file beside the one that was named.
pub(super) enum Target {
    Stdout(BufWriter<Stdout>),
    File { path: PathBuf, file: BufWriter<NamedTempFile> },
}

impl Target {
    pub(super) fn stdout() -> Self {
        Target::Stdout(BufWriter::new(stdout()))
    }

    /// A temporary file in the folder of `path`, with the mode that a new file
    /// has there.
    pub(super) fn file(path: &Path) -> Result<Self, Error> {
        let write = |source| Error::Write { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(write(io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".rows-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666)); // less the umask
        }
        let file = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(write)?;
        Ok(Target::File { path: path.to_owned(), file: BufWriter::with_capacity(1 << 16, file) })
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
        let write = |source| Error::Write { path: path.clone(), source };
        match self {
            Target::Stdout(mut out) => out.flush().map_err(write),
            Target::File { path, file } => {
                let file = file.into_inner().map_err(|e| write(e.into_error()))?;
                file.as_file().sync_all().map_err(write)?;
                file.persist(path).map(drop).map_err(|e| write(e.error))
            }
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Stdout(out) => out.write(bytes),
            Target::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Stdout(out) => out.flush(),
            Target::File { file, .. } => file.flush(),
        }
    }
}
