//! What was noticed in a dictionary.

use std::fmt;

use interrogate::limits;

/// Something noticed in a line of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line's number, from 1.
    pub line: usize,
    /// What was noticed.
    pub kind: FindingKind,
}

/// Kinds of [`Finding`]. Labels are truncated to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The file begins with a byte-order mark: dropped.
    ByteOrderMark,
    /// The line is white space: left out.
    Blank,
    /// The line is not UTF-8: left out.
    NotUtf8,
    /// The line is longer than 64 KiB: left out.
    TooLong,
    /// The label holds NUL or a character that ends a line for some programs: left out.
    LineEnd {
        /// The label.
        label: String,
    },
    /// The label holds another control character: kept.
    Control {
        /// The label.
        label: String,
    },
    /// The label is on an earlier line too: left out.
    Duplicate {
        /// The label.
        label: String,
        /// The line that it is kept from.
        first: usize,
    },
    /// The label holds U+FFFD, the mark of an earlier decoding error: kept.
    Replacement {
        /// The label.
        label: String,
    },
    /// Further findings from this line on, which are only counted.
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
                write!(f, "{label:?} is already on line {first}, left out")
            }
            FindingKind::Replacement { label } => write!(f, "{label:?} holds U+FFFD, kept"),
            FindingKind::More { count } => write!(f, "{count} more like these from here on"),
        }
    }
}

/// Findings of one dictionary that are kept. A blank line is one byte, and its finding
/// some fifty.
pub(super) const MAX_FINDINGS: usize = 1 << 17;

/// Adds a finding; beyond [`MAX_FINDINGS`] it is only counted.
pub(super) fn add(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.len() < MAX_FINDINGS {
        findings.push(finding);
    } else if let Some(Finding { kind: FindingKind::More { count }, .. }) = findings.last_mut() {
        *count += 1;
    } else {
        findings.push(Finding { kind: FindingKind::More { count: 1 }, ..finding });
    }
}

/// Returns a label as a finding keeps it, truncated to 200 characters.
pub(super) fn truncate(label: &str) -> String {
    match label.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &label[..end]),
        None => label.to_owned(),
    }
}
