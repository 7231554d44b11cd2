//! The lines of a dictionary that are labels.
//!
//! [`interrogate::input`] splits the text into lines. White space is stripped at both ends
//! of a line. Left out are blank lines, lines that are not UTF-8 or longer than 64 KiB,
//! labels with another line end (VT, FF, FS, GS, RS, U+0085, U+2028, U+2029) or NUL, and by
//! default duplicates. Labels with U+FFFD, the mark of an earlier decoding error, and with other
//! control characters are kept. All of this is reported but line ends and stripped space.

use interrogate::index::format::is_line_end;
use interrogate::input::{Line, LineEnding, Text};
use interrogate::limits;

use super::Texts;

use super::finding::{self, Finding, FindingKind};
use super::labels::{Duplicates, Labels, TooLarge};

/// The contents of a dictionary.
pub(super) struct Lines {
    /// Number of lines of the file.
    pub(super) count: usize,
    /// The labels, in order.
    pub(super) labels: Labels,
    /// What was noticed.
    pub(super) findings: Vec<Finding>,
}

/// Why a dictionary cannot be read.
pub(super) enum ReadError {
    /// An error of the file.
    Library(interrogate::Error),
    /// The labels are more than 4 GiB.
    TooLarge,
}

impl From<interrogate::Error> for ReadError {
    fn from(error: interrogate::Error) -> Self {
        ReadError::Library(error)
    }
}

impl From<TooLarge> for ReadError {
    fn from(_: TooLarge) -> Self {
        ReadError::TooLarge
    }
}

/// Reads the labels of `text`.
pub(super) fn read(text: Text<'_>, duplicates: Duplicates) -> Result<Lines, ReadError> {
    let labels = Labels::with_capacity(capacity(&text), duplicates);
    let mut read = Lines { count: 0, labels, findings: Vec::new() };
    if text.has_byte_order_mark() {
        read.findings.push(Finding { line: 1, kind: FindingKind::ByteOrderMark });
    }
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    while let Some(found) = lines.next_line()? {
        let line = found.number;
        read.count = line;
        let (label, kind) = label(&found);
        if let Some(kind) = kind {
            finding::add(&mut read.findings, Finding { line, kind });
        }
        if let Some(label) = label {
            read.labels.push(line, &[label], &mut read.findings)?;
        }
    }
    Ok(read)
}

/// Reads every line, stripped, none left out: what Python reads with `errors="replace"`
/// and `strip`.
pub(super) fn read_all(text: Text<'_>) -> Result<Texts, ReadError> {
    let mut texts = Texts::with_capacity(capacity(&text));
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    while let Some(line) = lines.next_line()? {
        let line = String::from_utf8_lossy(line.bytes()?);
        texts.push(&[line.trim()]).ok_or(TooLarge)?;
    }
    Ok(texts)
}

/// Returns the label of a line, if it is kept, and what is noticed in it.
fn label<'a>(line: &Line<'a>) -> (Option<&'a str>, Option<FindingKind>) {
    let Ok(bytes) = line.bytes() else { return (None, Some(FindingKind::TooLong)) };
    let Ok(label) = std::str::from_utf8(bytes).map(str::trim) else {
        return (None, Some(FindingKind::NotUtf8));
    };
    if label.is_empty() {
        return (None, Some(FindingKind::Blank));
    }
    if label.contains(ends_a_line) {
        return (None, Some(FindingKind::LineEnd { label: finding::truncate(label) }));
    }
    let kind = if label.contains('\u{fffd}') {
        Some(FindingKind::Replacement { label: finding::truncate(label) })
    } else if label.contains(|c: char| c.is_control() && c != '\t') {
        Some(FindingKind::Control { label: finding::truncate(label) })
    } else {
        None
    };
    (Some(label), kind)
}

/// Whether no label may hold `c`: the line ends that `verify` refuses, the others of
/// Python's `splitlines`, and NUL, which ends a C string.
fn ends_a_line(c: char) -> bool {
    is_line_end(c) || matches!(c, '\0' | '\u{1c}'..='\u{1e}')
}

/// Returns the expected bytes of all labels, if the file's size is known.
fn capacity(text: &Text<'_>) -> usize {
    text.size().and_then(|size| usize::try_from(size).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::MAX_FINDINGS;
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Lines, ReadError> {
        read(Text::new(Path::new("list"), bytes, limits::LIST)?, Duplicates::LeaveOut)
    }

    fn labels(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let Lines { labels, findings, .. } = parsed(bytes).ok().unwrap();
        let labels = labels.iter().map(|(_, label)| label.to_owned()).collect();
        (labels, findings.iter().map(Finding::to_string).collect())
    }

    #[test]
    fn labels_are_stripped_lines_of_any_line_end() {
        let expected = ["a b", "c", "d", "e"].map(str::to_owned);
        for text in ["a b\nc\nd\ne", " a b\t\r\nc \r\n\u{a0}d\r\ne\r\n", "a b\rc\rd\re\r"] {
            assert_eq!(labels(text.as_bytes()), (expected.to_vec(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn blank_line_is_left_out_and_reported() {
        let (found, findings) = labels(b"a\n\n \t\nb\n");
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 2: blank, left out", "line 3: blank, left out"]);
    }

    #[test]
    fn duplicate_is_left_out_and_reported_with_the_first_line() {
        let (found, findings) = labels(b"a\nb\n a \nA\n");
        assert_eq!(found, ["a", "b", "A"]);
        assert_eq!(findings, ["line 3: \"a\" is already on line 1, left out"]);
    }

    #[test]
    fn line_that_is_not_utf8_is_left_out_and_reported() {
        let (found, findings) = labels(b"caf\xc3\xa9\ncaf\xe9\nb");
        assert_eq!(found, ["café", "b"]);
        assert_eq!(findings, ["line 2: not UTF-8, left out"]);
    }

    #[test]
    fn replacement_character_is_kept_and_reported() {
        let (found, findings) = labels("a\ncaf\u{fffd}".as_bytes());
        assert_eq!(found, ["a", "caf\u{fffd}"]);
        assert_eq!(findings, ["line 2: \"caf\u{fffd}\" holds U+FFFD, kept"]);
    }

    #[test]
    fn byte_order_mark_is_dropped_and_reported() {
        let (found, findings) = labels("\u{feff}a\nb".as_bytes());
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 1: byte-order mark, dropped"]);
    }

    #[test]
    fn utf16_is_decoded_with_a_mark_and_refused_without() {
        let dropped = vec!["line 1: byte-order mark, dropped".to_owned()];
        let expected = (vec!["a".to_owned(), "b".to_owned()], dropped);
        assert_eq!(labels(b"\xff\xfea\0\r\0\n\0b\0"), expected);
        assert_eq!(labels(b"\xfe\xff\0a\0\n\0b"), expected);
        assert!(matches!(parsed(b"a\0\n\0b\0"), Err(ReadError::Library(_))));
    }

    #[test]
    fn long_line_is_left_out_and_reported() {
        let long = [&b"a\n"[..], &vec![b'x'; limits::LINE + 1], b"\nb\n"].concat();
        let (found, findings) = labels(&long);
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 2: longer than 65536 bytes, left out"]);
        assert_eq!(labels(&vec![b'x'; limits::LINE]).0.len(), 1);
    }

    #[test]
    fn label_with_another_line_end_is_left_out_and_reported() {
        for end in ['\0', '\u{b}', '\u{c}', '\u{1c}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'] {
            let (found, findings) = labels(format!("a\nb{end}c\nd{end}\n").as_bytes());
            let escaped = end.escape_debug();
            // White space at an end is stripped.
            let last = if end.is_whitespace() { "d".to_owned() } else { format!("d{end}") };
            let (kept, count) = match last.as_str() {
                "d" => (vec!["a", "d"], 1),
                _ => (vec!["a"], 2),
            };
            assert_eq!(
                (found, findings.len()),
                (kept.iter().map(|&l| l.to_owned()).collect(), count)
            );
            assert_eq!(findings[0], format!("line 2: \"b{escaped}c\" holds a line end, left out"));
        }
    }

    #[test]
    fn no_label_holds_a_line_end_that_verify_refuses() {
        let ends: Vec<char> = ('\0'..=char::MAX).filter(|c| is_line_end(*c)).collect();
        assert_eq!(ends.len(), 7);
        for end in ends {
            let (found, _) = labels(format!("a{end}b").as_bytes());
            assert!(found.iter().all(|label| !label.contains(end)), "{found:?}");
        }
    }

    #[test]
    fn label_with_a_control_character_is_kept_and_reported() {
        let (found, findings) =
            labels("\u{8}moebius\na\u{1b}[31m\ta\nit\u{92}s\ta tab\nx\ty".as_bytes());
        assert_eq!(found.len(), 4);
        assert_eq!(findings.len(), 3);
        assert_eq!(findings[0], "line 1: \"\\u{8}moebius\" holds a control character, kept");
    }

    #[test]
    fn long_label_is_truncated_in_a_finding() {
        let label = "\u{e9}".repeat(300);
        let (_, findings) = labels(format!("{label}\n{label}").as_bytes());
        let kept = "\u{e9}".repeat(200);
        assert_eq!(findings, [format!("line 2: \"{kept}...\" is already on line 1, left out")]);
    }

    #[test]
    fn findings_beyond_the_limit_are_counted() {
        let text = [&b"a"[..], &vec![b'\n'; MAX_FINDINGS + 9]].concat();
        let findings = parsed(&text).ok().unwrap().findings;
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        let last = findings.last().unwrap().to_string();
        assert_eq!(last, format!("line {}: 8 more like these from here on", MAX_FINDINGS + 2));
    }
}
