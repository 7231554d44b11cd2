//! Which lines of a dictionary are labels.
//!
//! How lines are read is [`interrogate::input`]'s. Of them each is stripped of white
//! space at both ends; left out are blank lines, lines that are not UTF-8 or longer
//! than 64 KiB, labels with a line end of another kind (VT, FF, FS, GS, RS, U+0085,
//! U+2028, U+2029) or NUL, and labels that have come before. Labels with U+FFFD, the
//! sign of an earlier loss, and with other control characters are kept. All but line
//! ends and stripped space is reported.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use interrogate::index::format::is_line_end;
use interrogate::input::{Ends, Line, Text};
use interrogate::limits;

use super::Texts;

/// Something noticed in a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// What is the matter with it.
    pub kind: FindingKind,
}

/// What can be the matter with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The file begins with a byte-order mark: dropped.
    ByteOrderMark,
    /// Nothing but white space: left out.
    Blank,
    /// Not UTF-8: left out.
    NotUtf8,
    /// Longer than 64 KiB: left out.
    TooLong,
    /// The label holds what ends a line for some programs, or NUL: left out.
    LineEnd {
        /// The label, or the beginning of a long one.
        label: String,
    },
    /// The label holds another control character: kept.
    Control {
        /// The label, or the beginning of a long one.
        label: String,
    },
    /// The label has come before: left out.
    Duplicate {
        /// The label, or the beginning of a long one.
        label: String,
        /// The line that it is kept from.
        first: usize,
    },
    /// The label holds U+FFFD, so that it was damaged before it came here: kept.
    Replacement {
        /// The label, or the beginning of a long one.
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
        match &self.kind {
            FindingKind::ByteOrderMark => write!(f, "byte-order mark, dropped"),
            FindingKind::Blank => write!(f, "blank, left out"),
            FindingKind::NotUtf8 => write!(f, "not UTF-8, left out"),
            FindingKind::TooLong => write!(f, "longer than {} bytes, left out", limits::LINE),
            FindingKind::LineEnd { label } => write!(f, "{label:?} holds a line end, left out"),
            FindingKind::Control { label } => {
                write!(f, "{label:?} holds a control character, kept")
            }
            FindingKind::Duplicate { label, first } => {
                write!(f, "{label:?} stands on line {first} already, left out")
            }
            FindingKind::Replacement { label } => write!(f, "{label:?} holds U+FFFD, kept"),
            FindingKind::More { count } => write!(f, "{count} more like these from here on"),
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
    } else if let Some(Finding { kind: FindingKind::More { count }, .. }) = findings.last_mut() {
        *count += 1;
    } else {
        findings.push(Finding { kind: FindingKind::More { count: 1 }, ..finding });
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
    /// As the library says.
    Unreadable(interrogate::Error),
    /// Its labels are more than 4 GiB together.
    TooLong,
}

impl From<interrogate::Error> for Refused {
    fn from(error: interrogate::Error) -> Self {
        Refused::Unreadable(error)
    }
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
                let kind = FindingKind::Duplicate { label: beginning(text(number)), first };
                note(findings, Finding { line, kind });
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

/// The labels of `text`.
pub(super) fn read(text: Text<'_>) -> Result<Read, Refused> {
    let labels = Distinct::with_capacity(capacity(&text));
    let mut read = Read { lines: 0, labels, findings: Vec::new() };
    if text.has_mark() {
        read.findings.push(Finding { line: 1, kind: FindingKind::ByteOrderMark });
    }
    let mut lines = text.lines(Ends::Any, limits::LINE);
    while let Some(found) = lines.next_line()? {
        let line = found.number;
        read.lines = line;
        let (label, kind) = label(&found);
        if let Some(kind) = kind {
            note(&mut read.findings, Finding { line, kind });
        }
        if let Some(label) = label {
            read.labels.push(line, &[label], &mut read.findings)?;
        }
    }
    Ok(read)
}

/// The label that a line holds, and what is the matter with it.
fn label<'a>(line: &Line<'a>) -> (Option<&'a str>, Option<FindingKind>) {
    let Ok(bytes) = line.bytes() else { return (None, Some(FindingKind::TooLong)) };
    let Ok(label) = std::str::from_utf8(bytes).map(str::trim) else {
        return (None, Some(FindingKind::NotUtf8));
    };
    if label.is_empty() {
        return (None, Some(FindingKind::Blank));
    }
    if label.contains(ends_a_line) {
        return (None, Some(FindingKind::LineEnd { label: beginning(label) }));
    }
    let kind = if label.contains('\u{fffd}') {
        Some(FindingKind::Replacement { label: beginning(label) })
    } else if label.contains(|c: char| c.is_control() && c != '\t') {
        Some(FindingKind::Control { label: beginning(label) })
    } else {
        None
    };
    (Some(label), kind)
}

/// What no label may hold: the line ends that `verify` refuses, those of Python's
/// `splitlines` beside them, and what ends a C string.
fn ends_a_line(c: char) -> bool {
    is_line_end(c) || matches!(c, '\0' | '\u{1c}'..='\u{1e}')
}

/// A label as a finding keeps it: whole, unless it is long.
fn beginning(label: &str) -> String {
    match label.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &label[..end]),
        None => label.to_owned(),
    }
}

/// Bytes that the labels of `text` will take, as far as that is known.
fn capacity(text: &Text<'_>) -> usize {
    text.size().and_then(|size| usize::try_from(size).ok()).unwrap_or_default()
}

/// Every line, stripped, none left out: what Python makes of the file with
/// `errors="replace"`, and `strip` of each line.
pub(super) fn every(text: Text<'_>) -> Result<Texts, Refused> {
    let mut texts = Texts::with_capacity(capacity(&text));
    let mut lines = text.lines(Ends::Any, limits::LINE);
    while let Some(line) = lines.next_line()? {
        let line = String::from_utf8_lossy(line.bytes()?);
        texts.push(&[line.trim()]).ok_or(Refused::TooLong)?;
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Read, Refused> {
        read(Text::new(Path::new("list"), bytes, limits::LIST)?)
    }

    fn labels(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let Read { labels, findings, .. } = parsed(bytes).ok().unwrap();
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
    fn utf16_with_a_mark_is_decoded_and_without_one_refused() {
        let dropped = vec!["line 1: byte-order mark, dropped".to_owned()];
        let expected = (vec!["a".to_owned(), "b".to_owned()], dropped);
        assert_eq!(labels(b"\xff\xfea\0\r\0\n\0b\0"), expected);
        assert_eq!(labels(b"\xfe\xff\0a\0\n\0b"), expected);
        assert!(matches!(parsed(b"a\0\n\0b\0"), Err(Refused::Unreadable(_))));
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_named() {
        let long = [&b"a\n"[..], &vec![b'x'; limits::LINE + 1], b"\nb\n"].concat();
        let (found, findings) = labels(&long);
        assert_eq!(found, ["a", "b"]);
        assert_eq!(findings, ["line 2: longer than 65536 bytes, left out"]);
        assert_eq!(labels(&vec![b'x'; limits::LINE]).0.len(), 1);
    }

    #[test]
    fn a_label_with_a_line_end_of_another_kind_is_left_out_and_named() {
        for end in ['\0', '\u{b}', '\u{c}', '\u{1c}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'] {
            let (found, findings) = labels(format!("a\nb{end}c\nd{end}\n").as_bytes());
            let spelled = end.escape_debug();
            // White space at an end is stripped.
            let last = if end.is_whitespace() { "d".to_owned() } else { format!("d{end}") };
            let (kept, named) = match last.as_str() {
                "d" => (vec!["a", "d"], 1),
                _ => (vec!["a"], 2),
            };
            assert_eq!(
                (found, findings.len()),
                (kept.iter().map(|&l| l.to_owned()).collect(), named)
            );
            assert_eq!(findings[0], format!("line 2: \"b{spelled}c\" holds a line end, left out"));
        }
    }

    #[test]
    fn no_label_holds_what_verify_refuses() {
        let ends: Vec<char> = ('\0'..=char::MAX).filter(|c| is_line_end(*c)).collect();
        assert_eq!(ends.len(), 7);
        for end in ends {
            let (found, _) = labels(format!("a{end}b").as_bytes());
            assert!(found.iter().all(|label| !label.contains(end)), "{found:?}");
        }
    }

    #[test]
    fn a_label_with_another_control_character_is_kept_and_named() {
        let (found, findings) =
            labels("\u{8}moebius\na\u{1b}[31m\ta\nit\u{92}s\ta tab\nx\ty".as_bytes());
        assert_eq!(found.len(), 4);
        assert_eq!(findings.len(), 3);
        assert_eq!(findings[0], "line 1: \"\\u{8}moebius\" holds a control character, kept");
    }

    #[test]
    fn a_finding_keeps_the_beginning_of_a_long_label() {
        let label = "\u{e9}".repeat(300);
        let (_, findings) = labels(format!("{label}\n{label}").as_bytes());
        let kept = "\u{e9}".repeat(200);
        assert_eq!(findings, [format!("line 2: \"{kept}...\" stands on line 1 already, left out")]);
    }

    #[test]
    fn of_findings_without_end_the_rest_is_counted() {
        let text = [&b"a"[..], &vec![b'\n'; MAX_FINDINGS + 9]].concat();
        let findings = parsed(&text).ok().unwrap().findings;
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        let last = findings.last().unwrap().to_string();
        assert_eq!(last, format!("line {}: 8 more like these from here on", MAX_FINDINGS + 2));
    }
}
