//! The bytes of a tar archive by offset: of a file, of a gzip file, or of standard input.
//!
//! A file is read at any offset. A stream (gzip, standard input) is read once, from front to
//! back: what lies between two reads is decompressed and dropped. The content decides whether
//! an archive is gzip, not its name. gzip of several members, as by `pigz` or `cat`, is one
//! stream.

use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use interrogate::{Error, Result, input};

/// The first bytes of gzip (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The size of a read buffer in bytes.
const BUFFER: usize = 1 << 16;

/// The first allocation for a content whose length is only claimed, in bytes.
const FIRST: u64 = 16 << 20;

/// The bytes of an open archive.
pub(super) struct ArchiveBytes<'a> {
    path: &'a Path,
    input: Input,
    /// The offset of the next byte.
    at: u64,
}

enum Input {
    File(BufReader<File>),
    Gzip(Box<dyn Read>),
    /// Standard input.
    Plain(Box<dyn Read>),
}

impl<'a> ArchiveBytes<'a> {
    /// Opens the archive at `path`, which must be a regular file.
    ///
    /// # Errors
    /// Those of [`input::open`], and [`Error::Io`].
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        let mut file = input::open(path)?;
        let is_gzip = starts_with_gzip(&mut file).map_err(Error::io("read", path))?.1;
        file.seek(SeekFrom::Start(0)).map_err(Error::io("read", path))?;
        let file = BufReader::with_capacity(BUFFER, file);
        let input = if is_gzip {
            Input::Gzip(Box::new(MultiGzDecoder::new(file)))
        } else {
            Input::File(file)
        };
        Ok(ArchiveBytes { path, input, at: 0 })
    }

    /// Opens the archive on `stream`; `path` is for messages. Waits for its first bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn stream(path: &'a Path, stream: impl Read + 'static) -> Result<Self> {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let (start, is_gzip) = starts_with_gzip(&mut stream).map_err(Error::io("read", path))?;
        let whole = Cursor::new(start).chain(stream);
        let input = if is_gzip {
            Input::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(whole))))
        } else {
            Input::Plain(Box::new(whole))
        };
        Ok(ArchiveBytes { path, input, at: 0 })
    }

    /// The path, for messages.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// Whether the bytes can be read once only, from front to back.
    pub(super) fn is_read_once(&self) -> bool {
        !matches!(self.input, Input::File(_))
    }

    /// Reads the bytes from offset `at` on into `bytes` and returns how many there are: fewer
    /// than `bytes.len()` only at the end of the archive.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Mismatch`] for damaged gzip.
    pub(super) fn read(&mut self, at: u64, bytes: &mut [u8]) -> Result<usize> {
        let read = self.seek(at).and_then(|()| fill(self.input.reader(), bytes));
        let found = read.map_err(|error| self.error(error))?;
        self.at += found as u64;
        Ok(found)
    }

    /// Reads `size` bytes from offset `at` on, or those to the end of the archive if they are
    /// fewer. Allocates [`FIRST`] bytes at most before the archive has shown that there are more.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and [`Error::Io`] if there is not enough memory.
    pub(super) fn content(&mut self, at: u64, size: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for most in [FIRST, u64::MAX] {
            let start = bytes.len() as u64;
            let more = (size - start).min(most);
            let reserved = bytes.try_reserve_exact(usize::try_from(more).unwrap_or(usize::MAX));
            reserved.map_err(|error| Error::io("read", self.path)(error.into()))?;
            self.seek(at + start).map_err(|error| self.error(error))?;
            let read = self.input.reader().take(more).read_to_end(&mut bytes);
            self.at += read.map_err(|error| self.error(error))? as u64;
            if (bytes.len() as u64) < start + more {
                break;
            }
        }
        Ok(bytes)
    }

    /// Moves to offset `at`, which may be beyond the end.
    fn seek(&mut self, at: u64) -> io::Result<()> {
        match &mut self.input {
            Input::File(file) => {
                // A relative seek keeps the buffer.
                let offset = i64::try_from(i128::from(at) - i128::from(self.at));
                let offset = offset.map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
                file.seek_relative(offset)?;
                self.at = at;
            }
            Input::Gzip(stream) | Input::Plain(stream) => {
                // Not back: callers check `is_read_once`.
                let skip = at.checked_sub(self.at).ok_or(ErrorKind::Unsupported)?;
                self.at += io::copy(&mut stream.take(skip), &mut io::sink())?;
            }
        }
        Ok(())
    }

    fn error(&self, error: io::Error) -> Error {
        match (&self.input, error.kind()) {
            (Input::Gzip(_), ErrorKind::UnexpectedEof) => {
                Error::mismatch(self.path, "archive cut short", "more gzip data", "none")
            }
            (Input::Gzip(_), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
                Error::mismatch(self.path, "archive", "gzip data", error)
            }
            _ => Error::io("read", self.path)(error),
        }
    }
}

impl Input {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Input::File(file) => file,
            Input::Gzip(stream) | Input::Plain(stream) => stream,
        }
    }
}

/// Reads the first bytes of `stream`; returns them, and whether they are gzip's.
fn starts_with_gzip(stream: &mut impl Read) -> io::Result<(Vec<u8>, bool)> {
    let mut start = vec![0; GZIP.len()];
    let found = fill(stream, &mut start)?;
    start.truncate(found);
    let is_gzip = start == GZIP;
    Ok((start, is_gzip))
}

/// Fills `bytes` as far as the stream goes, and returns how far.
fn fill(stream: &mut (impl Read + ?Sized), bytes: &mut [u8]) -> io::Result<usize> {
    let mut found = 0;
    while found < bytes.len() {
        match stream.read(&mut bytes[found..]) {
            Ok(0) => break,
            Ok(more) => found += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
