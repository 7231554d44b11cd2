//! Errors of a build, beside those of `interrogate`.

mod cache;
mod dictionary;
mod part;

pub use cache::CacheError;
pub use dictionary::DictionaryError;
pub use part::PartError;

use std::path::PathBuf;

use crate::lock::LockOwner;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a build, an import or an export.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of `interrogate`: a file, the model, or the index.
    #[error(transparent)]
    Library(#[from] interrogate::Error),
    /// A dictionary cannot be used.
    #[error(transparent)]
    Dictionary(#[from] DictionaryError),
    /// A cache of clip-interrogator cannot be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A part of a build cannot be encoded or merged.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A table would have more shards than the format can number: allow more rows per
    /// shard.
    #[error("table {table} would have {found} shards, expected at most {most}")]
    Shards {
        /// The table.
        table: String,
        /// The shards that its labels would take.
        found: usize,
        /// The most shards that a table can have.
        most: usize,
    },
    /// Another build of the same index is running: wait for it, or end it.
    #[error("{} is being built by another process{}", path.display(), in_parentheses(owner.as_ref()))]
    Locked {
        /// The index's folder.
        path: PathBuf,
        /// The other process, if its name can be read.
        owner: Option<LockOwner>,
    },
    /// The build was stopped. What was encoded is kept: run it again.
    #[error("stopped after {done} of {total} labels")]
    Stopped {
        /// Labels encoded, in this build or before it.
        done: usize,
        /// Labels to encode.
        total: usize,
    },
    /// The encoder returned another number of rows than it was given labels: a bug of
    /// the encoder.
    #[error("the encoder gave {found} rows for {expected} labels")]
    Rows {
        /// Labels given.
        expected: usize,
        /// Rows returned.
        found: usize,
    },
    /// An encoded label has no row when its table is written: another program changed a
    /// file of the build. Run it again.
    #[error("the row of {label:?} is missing")]
    RowMissing {
        /// The label.
        label: String,
    },
}

impl Error {
    /// Returns what to try next, one sentence without a full stop; `None` where the
    /// message says it all. No option of a program is named.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Library(error) => return error.hint(),
            Error::Dictionary(error) => error.hint(),
            Error::Cache(error) => error.hint(),
            Error::Part(error) => error.hint(),
            Error::Shards { .. } => "allow more rows per shard",
            Error::Locked { .. } => "wait for the other build, or end it; nothing of it is lost",
            Error::Stopped { .. } => "run the same command again; encoded rows are kept",
            Error::RowMissing { .. } => {
                "run the same command again; let no other program write there"
            }
            Error::Rows { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn in_parentheses(owner: Option<&LockOwner>) -> String {
    owner.map_or_else(String::new, |owner| format!(" ({owner})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_message_and_hint() {
        let owner = LockOwner { pid: 7, host: Some("h".into()), since: 60 };
        let cases = [
            (
                Error::Shards { table: "x".into(), found: 9, most: 8 },
                "table x would have 9 shards, expected at most 8",
                "more rows per shard",
            ),
            (
                Error::Locked { path: "i".into(), owner: Some(owner) },
                "i is being built by another process (pid 7 on h, since 1970-01-01 00:01 UTC)",
                "wait",
            ),
            (
                Error::Locked { path: "i".into(), owner: None },
                "i is being built by another process",
                "wait",
            ),
            (Error::RowMissing { label: "8k".into() }, "the row of \"8k\" is missing", "again"),
            (Error::Stopped { done: 1, total: 9 }, "stopped after 1 of 9 labels", "kept"),
            (
                DictionaryError::Missing { path: "d".into() }.into(),
                "no dictionary (*.txt) in d",
                "one label",
            ),
            (
                CacheError::Missing { path: "c".into() }.into(),
                "no cache (*.safetensors) in c",
                "cache/",
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert!(error.hint().unwrap().contains(hint), "{error}");
        }
        let rows = Error::Rows { expected: 2, found: 1 };
        assert_eq!(rows.to_string(), "the encoder gave 1 rows for 2 labels");
        assert_eq!(rows.hint(), None);
    }
}
