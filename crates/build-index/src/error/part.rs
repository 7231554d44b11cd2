//! Errors of parts of a build.

use std::path::PathBuf;

/// Why a part cannot be encoded, or parts cannot be merged.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// A part's number is out of range.
    #[error("part: expected K/N with 1 <= K <= N <= {most}, found {found:?}")]
    Number {
        /// The given text.
        found: String,
        /// The most parts.
        most: usize,
    },
    /// A folder is no part and holds none.
    #[error("no part (part.json) in {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A part was stopped or killed.
    #[error("{}: part {part} is unfinished", path.display())]
    Unfinished {
        /// The part's folder.
        path: PathBuf,
        /// Its number.
        part: String,
    },
    /// Parts are missing.
    #[error("missing {} of {of}", list(missing))]
    Absent {
        /// Their numbers.
        missing: Vec<usize>,
        /// The number of parts.
        of: usize,
    },
    /// A part is given twice.
    #[error("part {part} is given twice: {} and {}", first.display(), second.display())]
    Twice {
        /// Its number.
        part: String,
        /// A folder of it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// Two parts are of two builds.
    #[error("{}: {what}: expected {expected}, as in {}, found {found}", path.display(), other.display())]
    Differs {
        /// A part's folder.
        path: PathBuf,
        /// That of another part.
        other: PathBuf,
        /// The property that differs.
        what: String,
        /// Its value in `other`.
        expected: String,
        /// Its value in `path`.
        found: String,
    },
    /// The dictionaries are not those of the parts.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Dictionaries {
        /// A part's folder.
        path: PathBuf,
        /// The dictionary.
        what: String,
        /// The part's.
        expected: String,
        /// The given one.
        found: String,
    },
    /// The folder of a part has one of another build.
    #[error("{}: {what}: expected {expected}, found the part of a build with {found}", path.display())]
    Exists {
        /// The part's folder.
        path: PathBuf,
        /// The property that differs.
        what: String,
        /// Its value in this build.
        expected: String,
        /// Its value in the folder.
        found: String,
    },
    /// A file of a part is not as it was written.
    #[error("damaged part: {}: {what}: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The property that is wrong.
        what: &'static str,
        /// Its valid value.
        expected: String,
        /// The value in the file.
        found: String,
    },
}

impl PartError {
    /// What to try next.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            PartError::Number { .. } => "number the parts from 1: 1/8, 2/8, ... 8/8",
            PartError::Missing { .. } => "name the folders of parts, or a folder that holds them",
            PartError::Unfinished { .. } => {
                "build this part again in the same folder; it resumes where it stopped"
            }
            PartError::Absent { .. } => "build the missing parts, or name their folders too",
            PartError::Twice { .. } => "leave one of them out",
            PartError::Differs { .. } => {
                "build all parts with the same model, dictionaries and options"
            }
            PartError::Dictionaries { .. } => {
                "give the dictionaries that the parts were built from"
            }
            PartError::Exists { .. } => {
                "build the parts in another folder, or remove this one with its rows"
            }
            PartError::Damaged { .. } => {
                "copy the part again, or build it again in the same folder, which keeps its valid rows"
            }
        }
    }
}

/// `part 2`, or `parts 2, 3, 5`.
fn list(numbers: &[usize]) -> String {
    let plural = if numbers.len() == 1 { "" } else { "s" };
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    format!("part{plural} {}", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_message_and_hint() {
        let (path, other) = (PathBuf::from("p/m.part-2-of-8"), PathBuf::from("p/m.part-1-of-8"));
        let text = str::to_owned;
        let (expected, found) = (text("f32"), text("bf16"));
        let cases = [
            (
                PartError::Missing { path: "p".into() },
                "no part (part.json) in p",
                "folders of parts",
            ),
            (
                PartError::Unfinished { path: path.clone(), part: text("2/8") },
                "p/m.part-2-of-8: part 2/8 is unfinished",
                "resumes",
            ),
            (PartError::Absent { missing: vec![3], of: 8 }, "missing part 3 of 8", "missing parts"),
            (
                PartError::Absent { missing: vec![3, 5], of: 8 },
                "missing parts 3, 5 of 8",
                "missing parts",
            ),
            (
                PartError::Twice { part: text("2/8"), first: path.clone(), second: "x".into() },
                "part 2/8 is given twice: p/m.part-2-of-8 and x",
                "leave one",
            ),
            (
                PartError::Differs {
                    path: path.clone(),
                    other,
                    what: text("precision"),
                    expected: expected.clone(),
                    found: found.clone(),
                },
                "p/m.part-2-of-8: precision: expected f32, as in p/m.part-1-of-8, found bf16",
                "same model",
            ),
            (
                PartError::Dictionaries {
                    path: path.clone(),
                    what: text("dictionary a"),
                    expected: text("2 labels"),
                    found: text("none"),
                },
                "p/m.part-2-of-8: dictionary a: expected 2 labels, found none",
                "the parts were built from",
            ),
            (
                PartError::Exists { path: path.clone(), what: text("precision"), expected, found },
                "p/m.part-2-of-8: precision: expected f32, found the part of a build with bf16",
                "another folder",
            ),
            (
                PartError::Damaged { path, what: "dim", expected: text("2"), found: text("3") },
                "damaged part: p/m.part-2-of-8: dim: expected 2, found 3",
                "again",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert!(error.hint().contains(hint), "{error}");
        }
    }
}
