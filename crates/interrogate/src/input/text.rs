//! Text of others as UTF-8, whatever program wrote it.
//!
//! A byte-order mark is dropped, and UTF-16 that has one is decoded. UTF-16 without
//! a mark is refused where it shows. All else goes through as it is: what is not
//! UTF-8 is for [`Line::text`](super::Line::text).

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::lines::{LineEnding, Lines};
use super::{regular, stream_limit, too_long};
use crate::{Error, Result};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// A text that is read once, from its beginning.
pub struct Text<'a> {
    pub(super) path: PathBuf,
    pub(super) stream: Box<dyn BufRead + 'a>,
    pub(super) limit: u64,
    mark: bool,
    size: Option<u64>,
}

/// How the bytes of a text become UTF-8.
enum Encoding {
    Utf8,
    Utf16(fn([u8; 2]) -> u16),
}

impl<'a> Text<'a> {
    /// Opens what a person named to be read, by the rules of
    /// [`read_file_or_pipe`](super::read_file_or_pipe).
    ///
    /// # Errors
    /// Those of [`read_file_or_pipe`](super::read_file_or_pipe), and [`Error::Mismatch`] for UTF-16
    /// without a mark.
    pub fn open(path: &Path, limit: u64) -> Result<Text<'static>> {
        Text::decoded(Text::named(path, limit)?)
    }

    /// The same without a look at a mark: for names that may be any bytes.
    ///
    /// # Errors
    /// Those of [`read_file_or_pipe`](super::read_file_or_pipe).
    pub fn open_raw(path: &Path, limit: u64) -> Result<Text<'static>> {
        Text::named(path, limit)
    }

    /// Text that comes from `stream`, at most `limit` bytes of it; `path` is for
    /// messages.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Mismatch`] for UTF-16 without a mark.
    pub fn new(path: &Path, stream: impl Read + 'a, limit: u64) -> Result<Self> {
        Self::decoded(Self::raw(path, stream, limit))
    }

    /// The same without a look at a mark: for names that may be any bytes.
    pub fn raw(path: &Path, stream: impl Read + 'a, limit: u64) -> Self {
        let stream = BufReader::with_capacity(CHUNK, LimitedReader { stream, left: limit });
        Text { path: path.to_owned(), stream: Box::new(stream), limit, mark: false, size: None }
    }

    fn named(path: &Path, limit: u64) -> Result<Text<'static>> {
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

    fn decoded(mut text: Self) -> Result<Self> {
        let head = text.head(4)?;
        let (mark, encoding) = match head {
            [0xef, 0xbb, 0xbf, ..] => (3, Encoding::Utf8),
            [0xff, 0xfe, ..] => (2, Encoding::Utf16(u16::from_le_bytes)),
            [0xfe, 0xff, ..] => (2, Encoding::Utf16(u16::from_be_bytes)),
            [0, 1..=255, 0, 1..=255] | [1..=255, 0, 1..=255, 0] | [0, 1..=255] | [1..=255, 0] => {
                let found = "UTF-16 without a byte-order mark";
                return Err(Error::mismatch(&text.path, "text", "UTF-8", found));
            }
            _ => return Ok(text),
        };
        text.mark = true;
        text.stream.consume(mark);
        if let Encoding::Utf16(unit) = encoding {
            let stream = Utf16 { stream: text.stream, unit, high: None };
            text.stream = Box::new(BufReader::with_capacity(CHUNK, stream));
        }
        Ok(text)
    }

    /// The first `most` bytes of what is left, or all where that is less; they stay
    /// to be read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Mismatch`] for a stream that is too long or not UTF-16.
    pub fn head(&mut self, most: usize) -> Result<&[u8]> {
        let mut head = Vec::new();
        let result = self.stream.by_ref().take(most as u64).read_to_end(&mut head);
        result.map_err(|error| read_error(&self.path, self.limit, error))?;
        let rest = std::mem::replace(&mut self.stream, Box::new(io::empty()));
        self.stream = Box::new(Cursor::new(head).chain(rest));
        let head = self.stream.fill_buf().map_err(Error::io("read", &self.path))?;
        Ok(head.get(..most).unwrap_or(head))
    }

    /// The lines, each of at most `longest` bytes.
    pub fn lines(self, ends: LineEnding, longest: usize) -> Lines<'a> {
        Lines::new(self, ends, longest)
    }

    /// Whether it began with a byte-order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.mark
    }

    /// Bytes of the file, where it is one.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// What it is called in messages.
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

/// Why a text of at most `limit` bytes could not be read on.
pub(super) fn read_error(path: &Path, limit: u64, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::FileTooLarge => too_long(path, limit, "more"),
        ErrorKind::InvalidData => Error::mismatch(path, "text", "UTF-16", error),
        _ => Error::io("read", path)(error),
    }
}

/// A stream that fails behind so many bytes.
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

/// UTF-16 that is read as UTF-8, four bytes or more at once.
struct Utf16<R> {
    stream: R,
    unit: fn([u8; 2]) -> u16,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

impl<R: BufRead> Utf16<R> {
    /// The next code unit.
    fn next(&mut self) -> io::Result<Option<u16>> {
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

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        // A character has four bytes at most.
        while buffer.len() - written >= 4 {
            let Some(unit) = self.next()? else {
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
