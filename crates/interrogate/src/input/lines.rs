//! The lines of a text, one at a time: the rules for every list that is read.
//!
//! A line ends as [`LineEnding`] says; the last may end with the text. A line that is
//! longer than it may be is cut, which is seen before its end has come, so that a
//! stream without line ends takes no memory. Which lines are items (blank ones,
//! comments) is for those who ask.

use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};

use super::Text;
use super::text::read_error;
use crate::{Error, Result};

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// LF, CRLF or CR, as in Python's text mode: for texts.
    Any,
    /// LF or CRLF: for file names, which may hold a CR.
    Newline,
    /// NUL: for file names, which may hold all else.
    Nul,
}

/// The lines of a text. Memory: one line.
#[derive(Debug)]
pub struct Lines<'a> {
    text: Text<'a>,
    ends: LineEnding,
    longest: usize,
    line: Vec<u8>,
    number: usize,
    /// Where the last byte that was read leaves off.
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line.
    Start,
    /// Behind a CR, which an LF may follow.
    Cr,
    /// Within a line that was cut.
    Cut,
}

/// A line without its end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// From 1.
    pub number: usize,
    bytes: &'a [u8],
    path: &'a Path,
    longest: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: Text<'a>, ends: LineEnding, longest: usize) -> Self {
        Lines { text, ends, longest, line: Vec::new(), number: 0, state: State::Start }
    }

    /// The next line; `None` behind the last.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Mismatch`] for a stream that is too long or is not
    /// UTF-16 to its end.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        if self.state == State::Cut {
            while self.part(0)? == Some(State::Cut) {}
        }
        self.line.clear();
        let mut found = false;
        // A byte too many shows that the line is too long; before a newline a carriage
        // return does not count.
        let more = if self.ends == LineEnding::Newline { 2 } else { 1 };
        let most = self.longest.saturating_add(more);
        loop {
            match self.part(most - self.line.len())? {
                None if !found => return Ok(None),
                Some(State::Cut) if self.line.len() < most => found = true,
                _ => break,
            }
        }
        if self.ends == LineEnding::Newline
            && self.state != State::Cut
            && self.line.ends_with(b"\r")
        {
            self.line.pop();
        }
        self.number += 1;
        let Lines { number, longest, .. } = *self;
        Ok(Some(Line { number, bytes: &self.line, path: &self.text.path, longest }))
    }

    /// Reads on within a line and keeps at most `room` bytes: `Cut` where the line may
    /// go on, `None` at the end of the text.
    fn part(&mut self, room: usize) -> Result<Option<State>> {
        let Lines { text, ends, line, state, .. } = self;
        let bytes = loop {
            match text.stream.fill_buf() {
                Ok(_) => break text.stream.fill_buf(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let bytes = bytes.map_err(|error| read_error(&text.path, text.limit, error))?;
        if bytes.is_empty() {
            *state = State::Start;
            return Ok(None);
        }
        if *state == State::Cr {
            *state = State::Start;
            if bytes[0] == b'\n' {
                text.stream.consume(1);
                return self.part(room);
            }
        }
        let end = bytes.iter().position(|&byte| ends.end_at(byte));
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let kept = if room == 0 { part.len() } else { part.len().min(room) };
        if room > 0 {
            line.extend_from_slice(&part[..kept]);
        }
        let (read, next) = match end {
            Some(end) if kept == end && bytes[end] == b'\r' => (end + 1, State::Cr),
            Some(end) if kept == end => (end + 1, State::Start),
            _ => (kept, State::Cut),
        };
        text.stream.consume(read);
        *state = next;
        Ok(Some(next))
    }
}

impl LineEnding {
    fn end_at(self, byte: u8) -> bool {
        match self {
            LineEnding::Any => matches!(byte, b'\n' | b'\r'),
            LineEnding::Newline => byte == b'\n',
            LineEnding::Nul => byte == 0,
        }
    }
}

impl<'a> Line<'a> {
    /// The bytes, whatever they are.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a line that is too long.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        if self.is_cut() {
            let expected = format!("at most {} bytes", self.longest);
            return Err(self.mismatch("length", &expected, "more"));
        }
        Ok(self.bytes)
    }

    /// The line as text.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a line that is too long, is not UTF-8 or holds a NUL.
    pub fn text(&self) -> Result<&'a str> {
        let text = std::str::from_utf8(self.bytes()?);
        let text = text.map_err(|error| self.mismatch("text", "UTF-8", error))?;
        match text.contains('\0') {
            true => Err(self.mismatch("text", "no NUL", "one")),
            false => Ok(text),
        }
    }

    /// The bytes that are there, the beginning alone of a line that is too long.
    pub fn beginning(&self) -> &'a [u8] {
        &self.bytes[..self.bytes.len().min(self.longest)]
    }

    /// Whether the line is too long, and cut.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() > self.longest
    }

    /// The error of a line that holds `found` where `expected` must stand.
    pub fn mismatch(&self, what: &'static str, expected: &str, found: impl ToString) -> Error {
        Error::mismatch(at(self.path, self.number), what, expected, found)
    }
}

/// A line of a file as errors name it: `deny.txt:2`.
pub fn at(path: &Path, line: usize) -> PathBuf {
    format!("{}:{line}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct SlowReader<'a>(&'a [u8], usize);

    impl Read for SlowReader<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(self.1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn lines_of(text: Text<'_>, ends: LineEnding, longest: usize) -> Result<Vec<String>> {
        let mut lines = text.lines(ends, longest);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line()? {
            assert_eq!(line.number, found.len() + 1);
            found.push(line.text()?.to_owned());
        }
        Ok(found)
    }

    fn lines(bytes: &[u8], ends: LineEnding) -> Result<Vec<String>> {
        lines_of(Text::new(Path::new("list"), bytes, 1 << 20)?, ends, 64)
    }

    fn said(bytes: &[u8]) -> String {
        lines(bytes, LineEnding::Any).unwrap_err().to_string()
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    /// However few bytes come at once.
    #[test]
    fn a_carriage_return_before_a_newline_does_not_count() {
        for piece in 1..8 {
            for (bytes, expected) in [
                (&b"abc\r\nabcd\r\nab"[..], ["abc", "", "ab"]),
                (b"abc\r\nabc\r\r\nab\r", ["abc", "", "ab"]),
            ] {
                let text = Text::new(Path::new("list"), SlowReader(bytes, piece), 1 << 10).unwrap();
                let mut lines = text.lines(LineEnding::Newline, 3);
                for expected in expected {
                    let line = lines.next_line().unwrap().unwrap();
                    assert_eq!(line.is_cut(), expected.is_empty(), "{piece}");
                    assert!(line.is_cut() || line.text().unwrap() == expected);
                }
                assert!(lines.next_line().unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_line_ends_where_its_kind_says() {
        let text = b"a b\r\n\nc\rd\0e";
        assert_eq!(lines(&text[..9], LineEnding::Any).unwrap(), ["a b", "", "c", "d"]);
        assert_eq!(lines(&text[..9], LineEnding::Newline).unwrap(), ["a b", "", "c\rd"]);
        assert_eq!(lines(text, LineEnding::Nul).unwrap(), ["a b\r\n\nc\rd", "e"]);
        for ends in [LineEnding::Any, LineEnding::Newline, LineEnding::Nul] {
            assert!(lines(b"", ends).unwrap().is_empty());
        }
        assert_eq!(lines(b"\n\r\n\r\r\n", LineEnding::Any).unwrap(), ["", "", "", ""]);
    }

    #[test]
    fn a_mark_is_dropped_and_utf16_that_has_one_is_decoded() {
        let expected = ["a cat", "", "caf\u{e9} \u{1f408}", "\u{feff}x"];
        let text = "\u{feff}a cat\r\n\ncaf\u{e9} \u{1f408}\n\u{feff}x";
        for bytes in
            [text.as_bytes().to_vec(), utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes)]
        {
            assert_eq!(lines(&bytes, LineEnding::Any).unwrap(), expected);
            for piece in [1, 2, 3, 7] {
                let text = Text::new(Path::new("list"), SlowReader(&bytes, piece), 99).unwrap();
                assert!(text.has_byte_order_mark());
                assert_eq!(lines_of(text, LineEnding::Any, 64).unwrap(), expected);
            }
        }
        assert!(!Text::new(Path::new("list"), &b"a"[..], 9).unwrap().has_byte_order_mark());
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        assert_eq!(
            said(b"a\ncaf\xe9"),
            "list:2: text: expected UTF-8, found incomplete utf-8 byte sequence from index 3"
        );
        assert_eq!(said(b"a\n\nb\0"), "list:3: text: expected no NUL, found one");
        let unmarked = "list: text: expected UTF-8, found UTF-16 without a byte-order mark";
        assert_eq!(said(&utf16("a\nb", u16::to_le_bytes)), unmarked);
        assert_eq!(said(&utf16("a\nb", u16::to_be_bytes)), unmarked);
        assert_eq!(said(b"\xff\xfea\0b"), "list: text: expected UTF-16, found half a code unit");
        for unpaired in [&b"\xff\xfe\0\xd8"[..], b"\xff\xfe\0\xdca\0", b"\xff\xfe\0\xd8\0\xd8"] {
            assert_eq!(said(unpaired), "list: text: expected UTF-16, found an unpaired surrogate");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_is_whole() {
        let text = [&[b'x'; 64][..], b"\n", &[b'y'; 65], b"\r\nz"].concat();
        for piece in [1, 63, 64, 65, 999] {
            let text = Text::new(Path::new("list"), SlowReader(&text, piece), 999).unwrap();
            let mut lines = text.lines(LineEnding::Any, 64);
            assert_eq!(lines.next_line().unwrap().unwrap().bytes().unwrap(), [b'x'; 64]);
            let long = lines.next_line().unwrap().unwrap();
            assert!(long.is_cut() && long.beginning() == [b'y'; 64]);
            let error = long.text().unwrap_err().to_string();
            assert_eq!(error, "list:2: length: expected at most 64 bytes, found more");
            assert_eq!(lines.next_line().unwrap().unwrap().text().unwrap(), "z");
            assert!(lines.next_line().unwrap().is_none());
        }
    }

    /// A stream that never ends is refused behind one line's length, whatever the
    /// limit of the whole.
    #[test]
    fn a_stream_without_an_end_is_refused_at_once() {
        for byte in [0, b'x'] {
            let text = Text::new(Path::new("stdin"), std::io::repeat(byte), u64::MAX).unwrap();
            let error = lines_of(text, LineEnding::Any, 1 << 16).unwrap_err().to_string();
            assert_eq!(error, "stdin:1: length: expected at most 65536 bytes, found more");
        }
        let text = Text::new(Path::new("stdin"), std::io::repeat(b'\n'), 1 << 16).unwrap();
        let error = lines_of(text, LineEnding::Any, 9).unwrap_err().to_string();
        assert_eq!(error, "stdin: size: expected at most 65536 bytes, found more");
    }

    #[test]
    fn a_head_stays_to_be_read() {
        let mut text = Text::new(Path::new("list"), &b"\xef\xbb\xbfab\nc"[..], 99).unwrap();
        assert_eq!(text.head(2).unwrap(), b"ab");
        assert_eq!(text.head(99).unwrap(), b"ab\nc");
        assert_eq!(lines_of(text, LineEnding::Any, 9).unwrap(), ["ab", "c"]);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_whole_text(
            text in "[a-c\u{e9}\u{1f408} \n\r]{0,60}",
            piece in 1usize..9,
            encoding in 0usize..4,
        ) {
            let marked = format!("\u{feff}{text}");
            let bytes = match encoding {
                0 => text.clone().into_bytes(),
                1 => marked.into_bytes(),
                2 => utf16(&marked, u16::to_le_bytes),
                _ => utf16(&marked, u16::to_be_bytes),
            };
            let whole = text.replace("\r\n", "\n").replace('\r', "\n");
            let expected: Vec<&str> = whole.split_terminator('\n').collect();
            let text = Text::new(Path::new("list"), SlowReader(&bytes, piece), 999).unwrap();
            prop_assert_eq!(lines_of(text, LineEnding::Any, 999).unwrap(), expected);
        }
    }
}
