//! Records, and the columns of their tables.

use serde::Serialize;

use crate::escape;

/// The result for one image.
///
/// In JSON lines a record is itself; in CSV and Parquet it is [`COLUMNS`](Self::COLUMNS), each a
/// path into that JSON, between the columns `image` and `error`.
pub(crate) trait Record: Serialize {
    /// The columns between `image` and `error`.
    const COLUMNS: &'static [Column];

    /// The keys that each JSON object of this kind has. `--resume` refuses a file without them.
    const KEYS: &'static [&'static str];

    /// Whether the one column is a row of numbers, which .npy can hold.
    const IS_ROW: bool = false;

    /// Returns the image's name.
    fn image(&self) -> &str;

    /// Returns the record as text for people; `alone` where the run has no other image.
    fn text(&self, alone: bool) -> String;

    /// Returns the text of the sidecar.
    fn sidecar(&self) -> String;
}

/// Returns `text` as a line for people: after the image's name unless it is `alone`.
pub(crate) fn text_line(image: &str, text: &str, alone: bool) -> String {
    if alone { text.to_owned() } else { format!("{}: {text}", escape::line(image)) }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The path of the value in the record's JSON: keys separated by dots. A list on the path
    /// gives a list of the values below it.
    pub(crate) at: &'static str,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An optional text.
    Text,
    /// An optional f32.
    Number,
    /// A list of texts.
    Texts,
    /// A list of f32.
    Numbers,
    /// A list of integers.
    Integers,
    /// Any JSON, as text.
    Json,
}
