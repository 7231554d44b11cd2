//! The journal: rows that are encoded but not yet in an index.
//!
//! An append-only file of records, each with its checksum, synced as it is
//! written. A process may die at any byte: what comes after the last whole
//! record is cut off when the journal is opened again. It belongs to one model;
//! a journal of another is begun anew.
//!
//! A record is a length (8 bytes, lowest first), so many bytes, and their
//! SHA-256. The first record names the model and the width of a row. Each other
//! one is a block: the length of its label table, the table (as in a label
//! file), and the rows.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::{Digest, Labels, pack_labels};
use interrogate::mmap::Mmap;
use zerocopy::IntoBytes;

use crate::Result;

/// The journal's name in the index's folder.
pub(crate) const JOURNAL: &str = "build.journal";

/// Bytes of a record beside its payload.
const FRAME: u64 = 8 + 32;

/// An open journal.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the last record ends.
    end: u64,
    /// Bytes of a row.
    stride: usize,
    /// Where the row of each label lies in the file.
    rows: HashMap<String, u64>,
}

impl Journal {
    /// Opens the journal in `folder`, or begins one. Reads all of it.
    ///
    /// # Errors
    /// [`LibraryError::Io`].
    pub(crate) fn open(folder: &Path, fingerprint: &str, dim: usize) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(LibraryError::io("write", &path))?;
        let mut journal = Journal { path, file, end: 0, stride: dim * 2, rows: HashMap::new() };
        let head = format!("label-index journal 1\n{fingerprint}\n{dim}\n");
        let io = |action| LibraryError::io(action, &journal.path);
        let size = journal.file.metadata().map_err(io("read"))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &journal.file);
        let mut blocks = Vec::new();
        let mut end = 0;
        while let Some(payload) = read_record(&mut reader, size - end).map_err(io("read"))? {
            if end == 0 && payload != head.as_bytes() {
                break;
            }
            if end > 0 {
                let Some(block) = read_block(&payload, journal.stride) else { break };
                blocks.extend(block.into_iter().map(|(label, at)| (label, end + 8 + at)));
            }
            end += FRAME + payload.len() as u64;
        }
        journal.end = end;
        journal.rows.extend(blocks);
        // What is behind the last whole record is the torn tail of a build that
        // died, or a journal of another model.
        journal.file.set_len(end).map_err(io("write"))?;
        if end == 0 {
            journal.append_record(head.as_bytes())?;
        }
        Ok(journal)
    }

    /// Whether the row of `label` is in it.
    pub(crate) fn contains(&self, label: &str) -> bool {
        self.rows.contains_key(label)
    }

    /// Appends a block, `rows` being those of `labels`. It is on the disk when
    /// this returns.
    pub(crate) fn append(&mut self, labels: &[&str], rows: &[f16]) -> Result<()> {
        let table = pack_labels(&self.path, labels.iter().copied())?;
        let length = (table.len() as u64).to_le_bytes();
        let start = self.end + 8 + 8 + table.len() as u64;
        self.append_record(&[&length, &table[..], rows.as_bytes()].concat())?;
        let at = |row: usize| start + (row * self.stride) as u64;
        self.rows
            .extend(labels.iter().enumerate().map(|(row, label)| (label.to_string(), at(row))));
        Ok(())
    }

    /// Maps what is in it, for the rows to be copied from.
    pub(crate) fn map(&self) -> Result<Map<'_>> {
        Ok(Map { bytes: Mmap::open(&self.path)?, journal: self })
    }

    fn append_record(&mut self, payload: &[u8]) -> Result<()> {
        let length = (payload.len() as u64).to_le_bytes();
        let record = [&length, payload, Digest::of(payload).as_bytes()].concat();
        let mut write = || {
            self.file.seek(SeekFrom::Start(self.end))?;
            self.file.write_all(&record)?;
            self.file.sync_data()
        };
        write().map_err(LibraryError::io("write", &self.path))?;
        self.end += record.len() as u64;
        Ok(())
    }
}

/// A journal's rows where they lie.
pub(crate) struct Map<'a> {
    bytes: Mmap,
    journal: &'a Journal,
}

impl Map<'_> {
    /// Each label with its row: f16, lowest byte first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // No label of the journal is without its bytes: `open` has read them and
        // `append` has written them.
        let row = |at: u64| self.bytes.as_ref().get(at as usize..)?.get(..self.journal.stride);
        self.journal.rows.iter().filter_map(move |(label, &at)| Some((&label[..], row(at)?)))
    }
}

/// Removes the journal in `folder`, if there is one: its rows are in an index.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    let path = folder.join(JOURNAL);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LibraryError::io("remove", &path)(error))?
        }
        _ => Ok(()),
    }
}

/// The next record's payload; `None` where no whole record is left in the
/// `left` bytes of the file.
fn read_record(reader: &mut impl Read, left: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if left < FRAME {
        return Ok(None);
    }
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > left - FRAME {
        return Ok(None);
    }
    let mut payload = vec![0; length as usize]; // no more than the file holds
    reader.read_exact(&mut payload)?;
    let mut checksum = [0; 32];
    reader.read_exact(&mut checksum)?;
    Ok((Digest::of(&payload).as_bytes() == &checksum).then_some(payload))
}

/// The labels of a block, each with the place of its row in the payload.
fn read_block(payload: &[u8], stride: usize) -> Option<Vec<(String, u64)>> {
    let (length, rest) = payload.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (table, rows) = rest.split_at_checked(length)?;
    let labels = Labels::open(Path::new(JOURNAL), table).ok()?;
    if labels.len().checked_mul(stride) != Some(rows.len()) {
        return None;
    }
    let start = 8 + length;
    let place = |(row, label): (usize, interrogate::Result<&str>)| {
        Some((label.ok()?.to_owned(), (start + row * stride) as u64))
    };
    labels.iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const DIM: usize = 2;

    fn row(n: u16) -> [f16; DIM] {
        [f16::from_bits(n), f16::from_bits(n + 1)]
    }

    /// A journal of three blocks, and where each record of its file ends.
    fn three(folder: &Path) -> Vec<u64> {
        let mut journal = Journal::open(folder, "f", DIM).unwrap();
        let mut ends = vec![journal.end];
        for (labels, first) in [(&["a", "b"][..], 1), (&["c"], 3), (&["d", "é"], 4)] {
            let rows: Vec<f16> = (first..).take(labels.len()).flat_map(|n| row(n * 16)).collect();
            journal.append(labels, &rows).unwrap();
            ends.push(journal.end);
        }
        ends
    }

    fn contents(journal: &Journal) -> BTreeMap<String, Vec<u8>> {
        let map = journal.map().unwrap();
        map.rows().map(|(label, row)| (label.to_owned(), row.to_vec())).collect()
    }

    #[test]
    fn rows_come_back_after_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path());
        let journal = Journal::open(folder.path(), "f", DIM).unwrap();
        let rows = contents(&journal);
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "é"]);
        assert_eq!(rows["c"], row(48).as_bytes());
        assert_eq!(rows["é"], row(80).as_bytes());
    }

    #[test]
    fn killed_at_any_byte_it_keeps_every_whole_block_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let ends = three(folder.path());
        let path = folder.path().join(JOURNAL);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(folder.path(), "f", DIM).unwrap();
            let blocks = ends.iter().filter(|&&end| end <= cut as u64).count().saturating_sub(1);
            assert_eq!(journal.rows.len(), [0, 2, 3, 5][blocks], "cut at {cut}");
            journal.append(&["new"], &row(7)).unwrap();
            drop(journal);
            let again = Journal::open(folder.path(), "f", DIM).unwrap();
            assert_eq!(contents(&again)["new"], row(7).as_bytes(), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_byte_costs_its_block_and_those_after() {
        let folder = tempfile::tempdir().unwrap();
        let ends = three(folder.path());
        let path = folder.path().join(JOURNAL);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            let journal = Journal::open(folder.path(), "f", DIM).unwrap();
            let blocks = ends.iter().filter(|&&end| end <= at as u64).count().saturating_sub(1);
            assert_eq!(journal.rows.len(), [0, 2, 3, 5][blocks], "byte {at}");
        }
    }

    #[test]
    fn rows_of_another_model_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        for (fingerprint, dim) in [("g", DIM), ("f", DIM + 1)] {
            three(folder.path());
            assert_eq!(Journal::open(folder.path(), fingerprint, dim).unwrap().rows.len(), 0);
            assert_eq!(Journal::open(folder.path(), "f", DIM).unwrap().rows.len(), 0);
        }
    }

    #[test]
    fn it_can_be_removed_twice() {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path());
        remove(folder.path()).unwrap();
        assert!(!folder.path().join(JOURNAL).exists());
        remove(folder.path()).unwrap();
    }
}
