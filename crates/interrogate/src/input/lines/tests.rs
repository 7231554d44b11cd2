use std::io::Read;

use proptest::prelude::*;

use super::*;

/// Returns at most this many bytes from a read.
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

fn message(bytes: &[u8]) -> String {
    lines(bytes, LineEnding::Any).unwrap_err().to_string()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn the_cr_of_a_crlf_does_not_count_as_length() {
    for piece in 1..8 {
        for (bytes, expected) in [
            (&b"abc\r\nabcd\r\nab"[..], ["abc", "", "ab"]),
            (b"abc\r\nabc\r\r\nab\r", ["abc", "", "ab"]),
        ] {
            let text = Text::new(Path::new("list"), SlowReader(bytes, piece), 1 << 10).unwrap();
            let mut lines = text.lines(LineEnding::Newline, 3);
            for expected in expected {
                let line = lines.next_line().unwrap().unwrap();
                assert_eq!(line.is_truncated(), expected.is_empty(), "{piece}");
                assert!(line.is_truncated() || line.text().unwrap() == expected);
            }
            assert!(lines.next_line().unwrap().is_none());
        }
    }
}

#[test]
fn each_line_ending_splits_as_documented() {
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
fn a_byte_order_mark_is_dropped_and_utf16_with_one_is_decoded() {
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
fn invalid_text_is_refused_with_its_line_number() {
    assert_eq!(
        message(b"a\ncaf\xe9"),
        "list:2: text: expected UTF-8, found incomplete utf-8 byte sequence from index 3"
    );
    assert_eq!(message(b"a\n\nb\0"), "list:3: text: expected no NUL, found one");
    let unmarked = "list: text: expected UTF-8, found UTF-16 without a byte-order mark";
    assert_eq!(message(&utf16("a\nb", u16::to_le_bytes)), unmarked);
    assert_eq!(message(&utf16("a\nb", u16::to_be_bytes)), unmarked);
    assert_eq!(message(b"\xff\xfea\0b"), "list: text: expected UTF-16, found half a code unit");
    for unpaired in [&b"\xff\xfe\0\xd8"[..], b"\xff\xfe\0\xdca\0", b"\xff\xfe\0\xd8\0\xd8"] {
        assert_eq!(message(unpaired), "list: text: expected UTF-16, found an unpaired surrogate");
    }
}

#[test]
fn a_long_line_is_truncated_and_the_next_is_complete() {
    let text = [&[b'x'; 64][..], b"\n", &[b'y'; 65], b"\r\nz"].concat();
    for piece in [1, 63, 64, 65, 999] {
        let text = Text::new(Path::new("list"), SlowReader(&text, piece), 999).unwrap();
        let mut lines = text.lines(LineEnding::Any, 64);
        assert_eq!(lines.next_line().unwrap().unwrap().bytes().unwrap(), [b'x'; 64]);
        let long = lines.next_line().unwrap().unwrap();
        assert!(long.is_truncated() && long.prefix() == [b'y'; 64]);
        let error = long.text().unwrap_err().to_string();
        assert_eq!(error, "list:2: length: expected at most 64 bytes, found more");
        assert_eq!(lines.next_line().unwrap().unwrap().text().unwrap(), "z");
        assert!(lines.next_line().unwrap().is_none());
    }
}

/// A line that never ends is refused at the line limit, whatever the limit of the text.
#[test]
fn an_endless_stream_is_refused_at_the_first_limit() {
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
fn head_does_not_consume() {
    let mut text = Text::new(Path::new("list"), &b"\xef\xbb\xbfab\nc"[..], 99).unwrap();
    assert_eq!(text.head(2).unwrap(), b"ab");
    assert_eq!(text.head(99).unwrap(), b"ab\nc");
    assert_eq!(lines_of(text, LineEnding::Any, 9).unwrap(), ["ab", "c"]);
}

proptest! {
    #[test]
    fn lines_equal_those_of_the_text_split_at_once(
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
