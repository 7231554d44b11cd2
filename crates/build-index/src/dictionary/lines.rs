//! Which lines of a dictionary are labels.
//!
//! The policy: UTF-8; a byte-order mark is dropped; a line ends at LF, CRLF or
//! CR, as Python's text mode has it; each line is stripped of white space at
//! both ends; a blank line, a line that is not UTF-8 and a label that has come
//! before are left out; a label with U+FFFD, the sign of an earlier loss, is
//! kept. All but line ends and stripped space is reported.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Texts;

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
    /// Further findings from this line on, which are counted and not kept.
    More {
        /// How many.
        count: usize,
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
            Flaw::More { count } => write!(f, "{count} more like these from here on"),
        }
    }
}

/// Findings of a dictionary that are kept: a blank line takes one byte, and what
/// is told of it fifty.
const MAX_FINDINGS: usize = 1 << 17;

/// Adds a finding, or counts it where too many are kept already.
fn note(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.len() < MAX_FINDINGS {
        findings.push(finding);
    } else if let Some(Finding { flaw: Flaw::More { count }, .. }) = findings.last_mut() {
        *count += 1;
    } else {
        findings.push(Finding { flaw: Flaw::More { count: 1 }, ..finding });
    }
}

/// What a file holds.
pub(super) struct Read {
    /// Lines of the file.
    pub(super) lines: usize,
    /// The labels that come for the first time, in order.
    pub(super) labels: Distinct,
    /// What was noticed.
    pub(super) findings: Vec<Finding>,
}

/// Why a file cannot be read.
pub(super) enum Refused {
    /// It is UTF-16, whose lines would pass for labels full of NUL.
    Utf16,
    /// Its labels are more than 4 GiB together.
    TooLong,
}

/// Labels, each once, with the line that each is kept from.
#[derive(Default)]
pub(super) struct Distinct {
    texts: Texts,
    lines: Vec<u32>,
    /// The number of each label, by its hash.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Distinct {
    /// No label yet, and room for `bytes` of them: what grows is copied.
    fn with_capacity(bytes: usize) -> Self {
        Distinct { texts: Texts::with_capacity(bytes), ..Distinct::default() }
    }

    /// Takes the label of `line`, which consists of `parts`, unless it has come
    /// before: that is found.
    pub(super) fn push(
        &mut self,
        line: usize,
        parts: &[&str],
        findings: &mut Vec<Finding>,
    ) -> Result<(), Refused> {
        let Distinct { texts, lines, numbers, hasher } = self;
        let number = u32::try_from(texts.len()).map_err(|_| Refused::TooLong)?;
        texts.push(parts).ok_or(Refused::TooLong)?;
        let text = |number: u32| texts.get(number as usize).unwrap_or_default();
        let hash = |number: u32| hasher.hash_one(text(number));
        let same = |&other: &u32| text(other) == text(number);
        match numbers.entry(hash(number), same, |&other| hash(other)) {
            Entry::Vacant(entry) => {
                entry.insert(number);
                lines.push(u32::try_from(line).map_err(|_| Refused::TooLong)?);
            }
            Entry::Occupied(entry) => {
                let first = lines.get(*entry.get() as usize).map_or(0, |&line| line as usize);
                let flaw = Flaw::Duplicate { label: text(number).to_owned(), first };
                note(findings, Finding { line, flaw });
                texts.pop();
            }
        }
        Ok(())
    }

    /// The labels, each with its line.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().map(|&line| line as usize).zip(self.texts.iter())
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The labels alone.
    pub(super) fn into_texts(self) -> Texts {
        self.texts
    }
}

/// Reads the lines of a file.
pub(super) fn read(bytes: &[u8]) -> Result<Read, Refused> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Refused::Utf16);
    }
    let labels = Distinct::with_capacity(bytes.len());
    let mut read = Read { lines: 0, labels, findings: Vec::new() };
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
        if let Some(flaw) = flaw {
            note(&mut read.findings, Finding { line, flaw });
        }
        if let Ok(label) = label
            && !label.is_empty()
        {
            read.labels.push(line, &[label], &mut read.findings)?;
        }
    }
    Ok(read)
}

/// Every line, stripped, none left out; `None` where they are more than 4 GiB. What
/// Python makes of the file with `errors="replace"`, and `strip` of each line.
pub(super) fn every(bytes: &[u8]) -> Option<Texts> {
    let mut texts = Texts::with_capacity(bytes.len());
    split(bytes).try_for_each(|line| texts.push(&[String::from_utf8_lossy(line).trim()]))?;
    Some(texts)
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
        let Ok(Read { labels, findings, .. }) = read(bytes) else { panic!("refused") };
        let labels = labels.iter().map(|(_, label)| label.to_owned()).collect();
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
        assert!(matches!(read(b"\xff\xfea\0\n\0"), Err(Refused::Utf16)));
        assert!(matches!(read(b"\xfe\xff\0a"), Err(Refused::Utf16)));
    }

    #[test]
    fn of_findings_without_end_the_rest_is_counted() {
        let text = [&b"a"[..], &vec![b'\n'; MAX_FINDINGS + 9]].concat();
        let findings = read(&text).ok().unwrap().findings;
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        let last = findings.last().unwrap().to_string();
        assert_eq!(last, format!("line {}: 8 more like these from here on", MAX_FINDINGS + 2));
    }
}
