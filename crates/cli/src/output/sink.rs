//! Rows, and the sinks that write them.

use std::path::PathBuf;

use super::cell::Cell;
use super::error::Result;

/// A rendered record.
#[derive(Debug)]
pub(crate) struct Row {
    pub(super) data: RowData,
    /// The image and the text of its sidecar.
    pub(super) sidecar: Option<(PathBuf, String)>,
}

/// A row in the encoding of its file.
#[derive(Debug)]
pub(super) enum RowData {
    /// Bytes to append. Empty where the format has no row for a failed image.
    Bytes(Vec<u8>),
    /// One cell per column.
    Cells(Vec<Cell>),
}

/// Writes rows in order, in one file format.
///
/// Dropped before [`finish`](Self::finish), a sink leaves whole rows for `--resume`, or no file.
pub(super) trait Sink: Send {
    fn write(&mut self, row: RowData) -> Result<()>;

    /// Makes the rows so far visible to readers of the output, where the format allows it.
    fn flush(&mut self) -> Result<()>;

    /// Completes the output and syncs it to the disk.
    fn finish(self: Box<Self>) -> Result<()>;
}
