//! Which lines of a dictionary are labels.
//!
//! The policy: UTF-8; a byte-order mark is dropped; a line ends at LF, CRLF or
//! CR, as Python's text mode has it; each line is stripped of white space at
//! both ends; a blank line, a line that is not UTF-8 and a label that has come
//! before are left out; a label with U+FFFD, the sign of an earlier loss, is
//! kept. All but line ends and stripped space is reported.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// Something noticed in a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// What is the matter with it.
    pub flaw: Flaw,
}

/// What can be the matter with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The file begins with a byte-order mark: dropped.
    ByteOrderMark,
    /// Nothing but white space: left out.
    Blank,
    /// Not UTF-8: left out.
    NotUtf8,
    /// The label has come before: left out.
    Duplicate {
        /// The label.
        label: String,
        /// The line that it is kept from.
        first: usize,
    },
    /// The label holds U+FFFD, so that it was damaged before it came here: kept.
    Replacement {
        /// The label.
        label: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.flaw {
            Flaw::ByteOrderMark => write!(f, "byte-order mark, dropped"),
            Flaw::Blank => write!(f, "blank, left out"),
            Flaw::NotUtf8 => write!(f, "not UTF-8, left out"),
            Flaw::Duplicate { label, first } => {
                write!(f, "{label:?} stands on line {first} already, left out")
            }
            Flaw::Replacement { label } => write!(f, "{label:?} holds U+FFFD, kept"),
        }
    }
}

/// A file's labels, with the line of each, and what was noticed.
pub(super) struct Read {
    /// Lines of the file.
    pub(super) lines: usize,
    pub(super) labels: Vec<(usize, String)>,
    pub(super) findings: Vec<Finding>,
}

/// Reads the lines of a file; `None` where it is UTF-16, whose lines would pass
/// for labels full of NUL.
pub(super) fn read(bytes: &[u8]) -> Option<Read> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return None;
    }
    let mut read = Read { lines: 0, labels: Vec::new(), findings: Vec::new() };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf");
    if text.is_some() {
        read.findings.push(Finding { line: 1, flaw: Flaw::ByteOrderMark });
    }
    for (line, bytes) in (1..).zip(split(text.unwrap_or(bytes))) {
        read.lines = line;
        let label = std::str::from_utf8(bytes).map(str::trim);
        let flaw = match label {
            Err(_) => Some(Flaw::NotUtf8),
            Ok("") => Some(Flaw::Blank),
            Ok(label) if label.contains('\u{fffd}') => {
                Some(Flaw::Replacement { label: label.to_owned() })
            }
            Ok(_) => None,
        };
        read.findings.extend(flaw.map(|flaw| Finding { line, flaw }));
        if let Ok(label) = label.map(str::to_owned)
            && !label.is_empty()
        {
            read.labels.push((line, label));
        }
    }
    Some(read)
}

/// The labels that come for the first time, in order; the others are found.
pub(super) fn without_duplicates(
    labels: Vec<(usize, String)>,
    findings: &mut Vec<Finding>,
) -> Vec<(usize, String)> {
    let mut first_lines = HashMap::with_capacity(labels.len());
    let mut duplicate = vec![false; labels.len()];
    for ((line, label), duplicate) in labels.iter().zip(&mut duplicate) {
        match first_lines.entry(label.as_str()) {
            Entry::Vacant(entry) => _ = entry.insert(*line),
            Entry::Occupied(first) => {
                *duplicate = true;
                let flaw = Flaw::Duplicate { label: label.clone(), first: *first.get() };
                findings.push(Finding { line: *line, flaw });
            }
        }
    }
    labels.into_iter().zip(duplicate).filter(|(_, d)| !d).map(|(label, _)| label).collect()
}

/// The lines without their ends.
fn split(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = match after {
            [b'\r', b'\n', tail @ ..] | [_, tail @ ..] => tail,
            [] => &[],
        };
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let Read { labels, mut findings, .. } = read(bytes).unwrap();
        let labels = without_duplicates(labels, &mut findings);
        let labels = labels.into_iter().map(|(_, label)| label).collect();
        (labels, findings.iter().map(Finding::to_string).collect())
    }

    #[test]
    fn a_label_is_a_stripped_line_whatever_ends_it() {
        let expected = ["a b", "c", "d", "e"].map(str::to_owned);
        for text in ["a b\nc\nd\ne", " a b\t\r\nc \r\n\u{a0}d\r\ne\r\n", "a b\rc\rd\re\r"] {
            assert_eq!(labels(text.as_bytes()), (expected.to_vec(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn a_blank_line_is_left_out_and_named() {
        let (found, findings) = labels(b"a\n\n \t\nb\n");
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 2: blank, left out", "line 3: blank, left out"]);
    }

    #[test]
    fn a_label_that_came_before_is_left_out_and_its_line_named() {
        let (found, findings) = labels(b"a\nb\n a \nA\n");
        assert_eq!(found, ["a", "b", "A"]);
        assert_eq!(findings, ["line 3: \"a\" stands on line 1 already, left out"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_left_out_and_named() {
        let (found, findings) = labels(b"caf\xc3\xa9\ncaf\xe9\nb");
        assert_eq!(found, ["café", "b"]);
        assert_eq!(findings, ["line 2: not UTF-8, left out"]);
    }

    #[test]
    fn a_replacement_character_is_kept_and_named() {
        let (found, findings) = labels("a\ncaf\u{fffd}".as_bytes());
        assert_eq!(found, ["a", "caf\u{fffd}"]);
        assert_eq!(findings, ["line 2: \"caf\u{fffd}\" holds U+FFFD, kept"]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_named() {
        let (found, findings) = labels("\u{feff}a\nb".as_bytes());
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 1: byte-order mark, dropped"]);
    }

    #[test]
    fn utf16_is_refused_whole() {
        assert!(read(b"\xff\xfea\0\n\0").is_none());
        assert!(read(b"\xfe\xff\0a").is_none());
    }
}
