//! Byte streams: standard output, a file written in place, a draft.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write, stdout};
use std::path::{Path, PathBuf};

use build_index::durable::Draft;
use interrogate::Error;

use super::error::{OutputError, Result};
use super::sink::{RowData, Sink};
use crate::logger;

/// Size of the buffer in front of standard output and files written in place, in bytes.
const BUFFER: usize = 1 << 16;

/// A buffered byte stream.
pub(super) enum Destination {
    Stdout(BufWriter<Box<dyn Write + Send>>),
    /// A file that readers can follow, and that stays when the run stops.
    InPlace {
        path: PathBuf,
        file: BufWriter<File>,
    },
    /// A file that appears at `path`, whole, when it is finished.
    Draft {
        path: PathBuf,
        draft: Draft,
    },
}

impl Destination {
    /// Standard output; escaped on a terminal.
    pub(super) fn stdout() -> Self {
        Destination::Stdout(BufWriter::with_capacity(BUFFER, logger::stdout()))
    }

    /// `file`, opened from `path`, from its current position.
    pub(super) fn in_place(path: PathBuf, file: File) -> Self {
        Destination::InPlace { path, file: BufWriter::with_capacity(BUFFER, file) }
    }

    /// A new draft in the folder of `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is missing or read-only.
    pub(super) fn draft(path: &Path) -> Result<Self> {
        Ok(Destination::Draft { path: path.to_owned(), draft: Draft::beside(path)? })
    }

    /// Adds the destination to `error`.
    pub(super) fn error(&self, error: io::Error) -> OutputError {
        match self {
            Destination::Stdout(_) => OutputError::Stdout(error),
            Destination::InPlace { path, .. } | Destination::Draft { path, .. } => {
                Error::io("write", path)(error).into()
            }
        }
    }

    /// Overwrites the first bytes of a draft.
    ///
    /// # Errors
    /// [`Error::Io`], also for destinations that are not drafts.
    pub(super) fn overwrite_start(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Destination::Draft { draft, .. } => Ok(draft.overwrite_start(bytes)?),
            _ => Err(self.error(io::ErrorKind::NotSeekable.into())),
        }
    }

    /// Flushes the stream; syncs a file, and renames a draft to its path.
    pub(super) fn finish(mut self) -> Result<()> {
        Sink::flush(&mut self)?;
        match self {
            Destination::Stdout(_) => Ok(()),
            Destination::InPlace { path, file } => match file.get_ref().metadata() {
                // Pipes and devices cannot be synced.
                Ok(metadata) if metadata.is_file() => {
                    Ok(file.get_ref().sync_all().map_err(Error::io("write", &path))?)
                }
                _ => Ok(()),
            },
            Destination::Draft { path, draft } => Ok(draft.persist(&path)?),
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Destination::Stdout(stdout) => stdout.write(bytes),
            Destination::InPlace { file, .. } => file.write(bytes),
            Destination::Draft { draft, .. } => draft.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Destination::Stdout(stdout) => stdout.flush(),
            Destination::InPlace { file, .. } => file.flush(),
            Destination::Draft { draft, .. } => draft.flush(),
        }
    }
}

/// Refuses a path that is a folder. `example` is a file name for the hint.
///
/// # Errors
/// [`OutputError::Folder`].
pub(super) fn refuse_folder(path: &Path, example: &'static str) -> Result<()> {
    if path.is_dir() { Err(OutputError::Folder { path: path.to_owned(), example }) } else { Ok(()) }
}

/// Refuses a binary format on standard output, unless `-o -` `names` it and it is no terminal.
/// `text` is a format to use instead.
///
/// # Errors
/// [`OutputError::BinaryOnStdout`].
pub(super) fn refuse_binary_stdout(
    names: bool,
    format: &'static str,
    text: &'static str,
) -> Result<()> {
    if names && !stdout().is_terminal() {
        return Ok(());
    }
    Err(OutputError::BinaryOnStdout { format, text, pipe: true })
}

/// Text, JSON lines, CSV: rows that are bytes already.
impl Sink for Destination {
    fn write(&mut self, row: RowData) -> Result<()> {
        let RowData::Bytes(bytes) = row else { return Ok(()) };
        self.write_all(&bytes).map_err(|error| self.error(error))
    }

    fn flush(&mut self) -> Result<()> {
        Write::flush(self).map_err(|error| self.error(error))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Destination::finish(*self)
    }
}
