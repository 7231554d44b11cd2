//! Text, JSON lines and CSV: rows of bytes, to stdout or behind what stands.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use interrogate::Error;

use super::{Content, Sink};
use crate::error::CliError;
use crate::logger;

/// Bytes gathered before they are written, at most; the rows of a batch go at
/// its end whatever they are.
const GATHERED: usize = 1 << 16;

/// Rows of bytes.
pub(super) struct Lines {
    out: BufWriter<Box<dyn Write + Send>>,
    /// The file, where it is one.
    file: Option<(PathBuf, File)>,
}

impl Lines {
    /// To standard output.
    pub(super) fn stdout() -> Self {
        Lines { out: BufWriter::with_capacity(GATHERED, logger::stdout()), file: None }
    }

    /// To `file`, which stands at `path` and is open at the place where the next
    /// row goes.
    pub(super) fn file(path: PathBuf, file: File) -> Result<Self, CliError> {
        let out = file.try_clone().map_err(Error::io("write", &path))?;
        let out = BufWriter::with_capacity(GATHERED, Box::new(out) as Box<dyn Write + Send>);
        Ok(Lines { out, file: Some((path, file)) })
    }

    fn written(&self, result: io::Result<()>) -> Result<(), CliError> {
        result.map_err(|error| match &self.file {
            Some((path, _)) => Error::io("write", path)(error).into(),
            None => error.into(),
        })
    }
}

impl Sink for Lines {
    fn write(&mut self, content: Content) -> Result<(), CliError> {
        let Content::Line(line) = content else { return Ok(()) };
        let result = self.out.write_all(&line);
        self.written(result)
    }

    fn flush(&mut self) -> Result<(), CliError> {
        let result = self.out.flush();
        self.written(result)
    }

    fn finish(mut self: Box<Self>) -> Result<(), CliError> {
        self.flush()?;
        // Pipes and devices cannot be synced, and need not be.
        let synced = match &self.file {
            Some((_, file)) if file.metadata().is_ok_and(|kind| kind.is_file()) => file.sync_all(),
            _ => Ok(()),
        };
        self.written(synced)
    }
}
