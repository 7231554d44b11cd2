//! Opens a text file or stream and converts it to UTF-8.
//!
//! A byte-order mark is dropped, and UTF-16 with a mark is decoded. UTF-16 without one
//! is refused if the first four bytes show it. All other bytes pass through unchanged;
//! [`Line::text`](super::Line::text) checks that they are UTF-8.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{regular, stream_limit, too_long};
use crate::{Error, Result};

/// Bytes of the read buffer.
const CHUNK: usize = 64 << 10;

/// A text that is read once, from its start.
pub struct Text<'a> {
    pub(super) path: PathBuf,
    pub(super) stream: Box<dyn BufRead + 'a>,
    pub(super) limit: u64,
    byte_order_mark: bool,
    size: Option<u64>,
}

/// The encoding that a byte-order mark names.
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

impl<'a> Text<'a> {
    /// Opens the file, pipe or terminal at `path`, by the rules of
    /// [`read_file_or_pipe`](super::read_file_or_pipe).
    ///
    /// # Errors
    /// Those of [`read_file_or_pipe`](super::read_file_or_pipe); [`Error::Mismatch`] for
    /// UTF-16 without a byte-order mark.
    pub fn open(path: &Path, limit: u64) -> Result<Text<'static>> {
        Text::open_raw(path, limit)?.decode()
    }

    /// Like [`open`](Self::open), but decodes nothing: for file names, which may be any
    /// bytes.
    ///
    /// # Errors
    /// Those of [`read_file_or_pipe`](super::read_file_or_pipe).
    pub fn open_raw(path: &Path, limit: u64) -> Result<Text<'static>> {
        let kind = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if let Some(most) = stream_limit(path, kind.file_type()) {
            let stream = File::open(path).map_err(Error::io("read", path))?;
            return Ok(Text::raw(path, stream, limit.min(most)));
        }
        let (file, kind) = regular(path, "read")?;
        if kind.len() > limit {
            return Err(too_long(path, limit, kind.len()));
        }
        Ok(Text { size: Some(kind.len()), ..Text::raw(path, file, limit) })
    }

    /// Reads a text of at most `limit` bytes from `stream`; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] for UTF-16 without a byte-order mark.
    pub fn new(path: &Path, stream: impl Read + 'a, limit: u64) -> Result<Self> {
        Self::raw(path, stream, limit).decode()
    }

    /// Like [`new`](Self::new), but decodes nothing: for file names, which may be any
    /// bytes.
    pub fn raw(path: &Path, stream: impl Read + 'a, limit: u64) -> Self {
        let stream = BufReader::with_capacity(CHUNK, LimitedReader { stream, left: limit });
        Text {
            path: path.to_owned(),
            stream: Box::new(stream),
            limit,
            byte_order_mark: false,
            size: None,
        }
    }

    /// Drops a byte-order mark and decodes UTF-16.
    fn decode(mut self) -> Result<Self> {
        let head = self.head(4)?;
        let (mark, encoding) = match head {
            [0xef, 0xbb, 0xbf, ..] => (3, Encoding::Utf8),
            [0xff, 0xfe, ..] => (2, Encoding::Utf16(u16::from_le_bytes)),
            [0xfe, 0xff, ..] => (2, Encoding::Utf16(u16::from_be_bytes)),
            [0, 1..=255, 0, 1..=255] | [1..=255, 0, 1..=255, 0] | [0, 1..=255] | [1..=255, 0] => {
                let found = "UTF-16 without a byte-order mark";
                return Err(Error::mismatch(&self.path, "text", "UTF-8", found));
            }
            _ => return Ok(self),
        };
        self.byte_order_mark = true;
        self.stream.consume(mark);
        if let Encoding::Utf16(unit) = encoding {
            let stream = Utf16Reader { stream: self.stream, unit, high: None };
            self.stream = Box::new(BufReader::with_capacity(CHUNK, stream));
        }
        Ok(self)
    }

    /// Returns the next `most` bytes, or fewer at the end, without consuming them.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] for a stream that is too long or holds invalid
    /// UTF-16.
    pub fn head(&mut self, most: usize) -> Result<&[u8]> {
        let mut head = Vec::new();
        let result = self.stream.by_ref().take(most as u64).read_to_end(&mut head);
        result.map_err(|error| read_error(&self.path, self.limit, error))?;
        let rest = std::mem::replace(&mut self.stream, Box::new(io::empty()));
        self.stream = Box::new(Cursor::new(head).chain(rest));
        let head = self.stream.fill_buf().map_err(Error::io("read", &self.path))?;
        Ok(head.get(..most).unwrap_or(head))
    }

    /// Whether the text began with a byte-order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.byte_order_mark
    }

    /// Returns the size in bytes if the text is a regular file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns the path that messages name.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Returns the error of this crate for a failed read of a text of at most `limit` bytes.
pub(super) fn read_error(path: &Path, limit: u64, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::FileTooLarge => too_long(path, limit, "more"),
        ErrorKind::InvalidData => Error::mismatch(path, "text", "UTF-16", error),
        _ => Error::io("read", path)(error),
    }
}

/// A stream that fails with [`ErrorKind::FileTooLarge`] after `left` more bytes.
struct LimitedReader<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return match self.stream.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(ErrorKind::FileTooLarge.into()),
            };
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.stream.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Converts UTF-16 to UTF-8. Its reader must ask for at least four bytes at once.
struct Utf16Reader<R> {
    stream: R,
    unit: fn([u8; 2]) -> u16,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl<R: BufRead> Utf16Reader<R> {
    /// Reads the next code unit.
    fn next_unit(&mut self) -> io::Result<Option<u16>> {
        let mut bytes = [0; 2];
        let mut filled = 0;
        while filled < 2 {
            match self.stream.read(&mut bytes[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::Error::new(ErrorKind::InvalidData, "half a code unit")),
                read => filled += read,
            }
        }
        Ok(Some((self.unit)(bytes)))
    }
}

impl<R: BufRead> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        // A character has at most four bytes.
        while buffer.len() - written >= 4 {
            let Some(unit) = self.next_unit()? else {
                return match self.high {
                    None => Ok(written),
                    Some(_) => Err(unpaired()),
                };
            };
            let c = match self.high.take() {
                Some(high) => char::decode_utf16([high, unit]).next(),
                None if (0xd800..0xdc00).contains(&unit) => {
                    self.high = Some(unit);
                    continue;
                }
                None => char::decode_utf16([unit]).next(),
            };
            let Some(Ok(c)) = c else { return Err(unpaired()) };
            written += c.encode_utf8(&mut buffer[written..]).len();
        }
        Ok(written)
    }
}

fn unpaired() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an unpaired surrogate")
}
