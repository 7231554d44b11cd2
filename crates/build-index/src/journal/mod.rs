//! The journal: rows that are encoded and not yet in an index.
//!
//! An append-only file of records with checksums ([`record`]), synced at every append. A
//! process may be killed at any byte: bytes after the last whole record are truncated when
//! the journal is opened again. A journal belongs to one model; one of another model is
//! replaced by a new one. A new journal is a draft with the first record, renamed. A file
//! of the user's under the journal's name, or a link to one, is refused and not written.
//!
//! The first record names the model and the width of a row. Each other record is a block
//! ([`block`]): the length of its label table, the table (as in a label file), and the
//! rows. A checksum can be forged, so a block with a row that is not of unit length is
//! skipped, and its labels are encoded again.

mod block;
mod record;
mod scan;

pub(crate) use scan::Scan;

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::limits::JOURNAL_RECORD;
use interrogate::mmap::Mmap;
use interrogate::output;

use crate::Result;
use crate::durable::{Draft, folder_of};
use record::FRAME;

/// The journal's name in the index's folder.
pub(crate) const JOURNAL: &str = "build.journal";

/// How the first record begins.
const MAGIC: &str = "label-index journal ";

/// An open journal.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the last record ends.
    end: u64,
    /// Bytes of a row.
    stride: usize,
    /// The first record.
    head: String,
    /// Blocks that were skipped for a row that is not of unit length.
    refused: usize,
}

impl Journal {
    /// Opens the journal in `folder`, or creates one. Reads all of it, a record at a time,
    /// and calls `found` with each label and the offset of its row in the file.
    ///
    /// Memory: a record, at most [`JOURNAL_RECORD`] bytes; a longer one ends the journal.
    ///
    /// # Errors
    /// [`LibraryError::Io`]; [`LibraryError::Mismatch`] for a link, and for a file that is
    /// not a journal.
    pub(crate) fn open(
        folder: &Path,
        fingerprint: &str,
        dim: usize,
        mut found: impl FnMut(&str, u64),
    ) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let head = head(fingerprint, dim);
        let io = |action| LibraryError::io(action, &path);
        let Some(file) = output::open_existing(&path)? else {
            return Self::create(path, head, dim * 2);
        };
        let size = file.metadata().map_err(io("read"))?.len();
        check_magic(&path, &file)?;
        let reader = BufReader::with_capacity(1 << 20, &file);
        let Some(mut scan) = Scan::new(reader, size, fingerprint, dim).map_err(io("read"))? else {
            // A journal of another model, or one whose first record is damaged.
            drop(file); // some systems replace no open file
            return Self::create(path, head, dim * 2);
        };
        while scan.next(&mut found).map_err(io("read"))? {}
        let (end, refused) = (scan.end(), scan.refused());
        drop(scan);
        file.set_len(end).map_err(io("write"))?;
        Ok(Journal { path, file, end, stride: dim * 2, head, refused })
    }

    /// Creates a journal of its first record, and replaces one that is at `path`.
    fn create(path: PathBuf, head: String, stride: usize) -> Result<Self> {
        let record = record::encode(head.as_bytes());
        let mut draft = Draft::create(folder_of(&path))?;
        draft.append(&record)?;
        draft.persist(&path)?;
        let missing = || LibraryError::mismatch(&path, "file", "the journal just created", "none");
        let file = output::open_existing(&path)?.ok_or_else(missing)?;
        Ok(Journal { path, file, end: record.len() as u64, stride, head, refused: 0 })
    }

    /// Replaces the journal by one without blocks.
    pub(crate) fn clear(self) -> Result<Self> {
        let Journal { path, file, stride, head, .. } = self;
        drop(file); // some systems replace no open file
        Self::create(path, head, stride)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of its records.
    pub(crate) fn bytes(&self) -> u64 {
        self.end
    }

    /// Number of blocks that were skipped for a row that is not of unit length.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }

    /// Appends a block of `labels` and their `rows`, and syncs the file. Returns the offset
    /// of each row in the file.
    pub(crate) fn append(
        &mut self,
        labels: &[&str],
        rows: &[f16],
    ) -> Result<impl Iterator<Item = u64> + use<>> {
        let (payload, offset) = block::encode(&self.path, labels, rows)?;
        let start = self.end + 8 + offset;
        self.append_record(&payload)?;
        Ok((start..).step_by(self.stride).take(labels.len()))
    }

    /// Maps the file.
    pub(crate) fn map(&self) -> Result<Mmap> {
        Ok(Mmap::open(&self.path)?)
    }

    fn append_record(&mut self, payload: &[u8]) -> Result<()> {
        if payload.len() as u64 > JOURNAL_RECORD {
            let expected = format!("at most {JOURNAL_RECORD} bytes");
            Err(LibraryError::mismatch(&self.path, "block", expected, payload.len()))?;
        }
        let (length, checksum) = record::frame(payload);
        let mut write = || {
            self.file.seek(SeekFrom::Start(self.end))?;
            // The payload is not copied. After a kill in between, the record is not whole.
            self.file.write_all(&length)?;
            self.file.write_all(payload)?;
            self.file.write_all(checksum.as_bytes())?;
            self.file.sync_data()
        };
        write().map_err(LibraryError::io("write", &self.path))?;
        self.end += FRAME + payload.len() as u64;
        Ok(())
    }
}

/// Returns the first record of a journal.
fn head(fingerprint: &str, dim: usize) -> String {
    format!("{MAGIC}1\n{fingerprint}\n{dim}\n")
}

/// Removes the journal in `folder`, if there is one.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    let path = folder.join(JOURNAL);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LibraryError::io("remove", &path)(error))?
        }
        _ => Ok(()),
    }
}

/// Refuses a file whose first bytes are not those of a journal. A shorter file passes.
fn check_magic(path: &Path, mut file: &File) -> Result<()> {
    let io = |action| LibraryError::io(action, path);
    let mut start = Vec::new();
    file.take(8 + MAGIC.len() as u64).read_to_end(&mut start).map_err(io("read"))?;
    file.seek(SeekFrom::Start(0)).map_err(io("read"))?;
    match start.get(8..) {
        Some(magic) if !MAGIC.as_bytes().starts_with(magic) => {
            let found = "a file of another program";
            Err(LibraryError::mismatch(path, "content", "the journal of a build", found))?
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
