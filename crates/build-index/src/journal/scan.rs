//! Reads a journal, a record at a time.

use std::io::{self, Read};

use super::block::{self, Validity};
use super::head;
use super::record::{self, FRAME};

/// A journal that is being read.
///
/// Memory: a record, at most [`JOURNAL_RECORD`](interrogate::limits::JOURNAL_RECORD) bytes;
/// a longer one ends the journal.
pub(crate) struct Scan<R> {
    reader: R,
    size: u64,
    dim: usize,
    /// Where the last valid record ends.
    end: u64,
    refused: usize,
}

impl<R: Read> Scan<R> {
    /// Reads the first record of a journal of `size` bytes with rows of `dim` values; `None`
    /// if it is not that of `fingerprint`.
    pub(crate) fn new(
        mut reader: R,
        size: u64,
        fingerprint: &str,
        dim: usize,
    ) -> io::Result<Option<Self>> {
        let head = head(fingerprint, dim);
        let first = record::read(&mut reader, size)?;
        let end = FRAME + head.len() as u64;
        let is_first = first.is_some_and(|payload| payload == head.as_bytes());
        Ok(is_first.then_some(Scan { reader, size, dim, end, refused: 0 }))
    }

    /// Reads the next block and calls `found` with each of its labels and the offset of its
    /// row in the journal. Returns false at the end, which is before a record that is
    /// damaged or not whole.
    pub(crate) fn next(&mut self, found: &mut impl FnMut(&str, u64)) -> io::Result<bool> {
        let Some(payload) = record::read(&mut self.reader, self.size - self.end)? else {
            return Ok(false);
        };
        let start = self.end + 8;
        match block::read(&payload, self.dim, |label, at| found(label, start + at)) {
            Validity::Malformed => return Ok(false),
            Validity::InvalidRow => self.refused += 1,
            Validity::Valid => {}
        }
        self.end += FRAME + payload.len() as u64;
        Ok(true)
    }

    /// Where the last valid record ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Number of blocks that were skipped for a row that is not of unit length.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }
}
