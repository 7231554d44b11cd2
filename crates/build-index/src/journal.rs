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
}

impl Journal {
    /// Opens the journal in `folder`, or begins one. Reads all of it, a record at a
    /// time, and tells `found` each label with the byte at which its row begins.
    ///
    /// # Errors
    /// [`LibraryError::Io`].
    pub(crate) fn open(
        folder: &Path,
        fingerprint: &str,
        dim: usize,
        mut found: impl FnMut(&str, u64),
    ) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(LibraryError::io("write", &path))?;
        let mut journal = Journal { path, file, end: 0, stride: dim * 2 };
        let head = format!("label-index journal 1\n{fingerprint}\n{dim}\n");
        let io = |action| LibraryError::io(action, &journal.path);
        let size = journal.file.metadata().map_err(io("read"))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &journal.file);
        let mut end = 0;
        while let Some(payload) = read_record(&mut reader, size - end).map_err(io("read"))? {
            if end == 0 && payload != head.as_bytes() {
                break;
            }
            if end > 0 {
                let found = |label: &str, at| found(label, end + 8 + at);
                if read_block(&payload, journal.stride, found).is_none() {
                    break;
                }
            }
            end += FRAME + payload.len() as u64;
        }
        journal.end = end;
        // What is behind the last whole record is the torn tail of a build that
        // died, or a journal of another model.
        journal.file.set_len(end).map_err(io("write"))?;
        if end == 0 {
            journal.append_record(head.as_bytes())?;
        }
        Ok(journal)
    }

    /// Appends a block, `rows` being those of `labels`: the byte at which each row
    /// begins. It is on the disk when this returns.
    pub(crate) fn append(
        &mut self,
        labels: &[&str],
        rows: &[f16],
    ) -> Result<impl Iterator<Item = u64> + use<>> {
        let table = pack_labels(&self.path, labels.iter().copied())?;
        let length = (table.len() as u64).to_le_bytes();
        let start = self.end + 8 + 8 + table.len() as u64;
        self.append_record(&[&length, &table[..], rows.as_bytes()].concat())?;
        Ok((start..).step_by(self.stride).take(labels.len()))
    }

    /// Maps the file, for rows to be copied from.
    pub(crate) fn map(&self) -> Result<Mmap> {
        Ok(Mmap::open(&self.path)?)
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

/// Tells `found` the labels of a block, each with the place of its row in the
/// payload; none of them, and `None`, where the payload is no block.
fn read_block(payload: &[u8], stride: usize, mut found: impl FnMut(&str, u64)) -> Option<()> {
    let (length, rest) = payload.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (table, rows) = rest.split_at_checked(length)?;
    let labels = Labels::open(Path::new(JOURNAL), table).ok()?;
    if labels.len().checked_mul(stride) != Some(rows.len()) {
        return None;
    }
    labels.iter().try_for_each(|label| label.ok().map(drop))?;
    let places = (8 + length as u64..).step_by(stride.max(1));
    labels.iter().flatten().zip(places).for_each(|(label, at)| found(label, at));
    Some(())
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
        let (mut journal, _) = open(folder);
        let mut ends = vec![journal.end];
        for (labels, first) in [(&["a", "b"][..], 1), (&["c"], 3), (&["d", "é"], 4)] {
            let rows: Vec<f16> = (first..).take(labels.len()).flat_map(|n| row(n * 16)).collect();
            assert_eq!(journal.append(labels, &rows).unwrap().count(), labels.len());
            ends.push(journal.end);
        }
        ends
    }

    /// The journal of the model `f`, and where it has the row of each label.
    fn open(folder: &Path) -> (Journal, BTreeMap<String, u64>) {
        open_as(folder, "f", DIM)
    }

    fn open_as(folder: &Path, model: &str, dim: usize) -> (Journal, BTreeMap<String, u64>) {
        let mut places = BTreeMap::new();
        let found = |label: &str, at| assert!(places.insert(label.to_owned(), at).is_none());
        let journal = Journal::open(folder, model, dim, found).unwrap();
        (journal, places)
    }

    /// Each label of it with its row.
    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let (journal, places) = open(folder);
        let map = journal.map().unwrap();
        let row = |at: u64| map.as_ref()[at as usize..][..DIM * 2].to_vec();
        places.into_iter().map(|(label, at)| (label, row(at))).collect()
    }

    #[test]
    fn rows_come_back_after_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path());
        let rows = contents(folder.path());
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
            let (mut journal, places) = open(folder.path());
            let blocks = ends.iter().filter(|&&end| end <= cut as u64).count().saturating_sub(1);
            assert_eq!(places.len(), [0, 2, 3, 5][blocks], "cut at {cut}");
            let at = journal.append(&["new"], &row(7)).unwrap().collect::<Vec<_>>();
            drop(journal);
            let places = open(folder.path()).1;
            assert_eq!((&at[..], places.len()), (&[places["new"]][..], [1, 3, 4, 6][blocks]));
            assert_eq!(contents(folder.path())["new"], row(7).as_bytes(), "cut at {cut}");
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
            let places = open(folder.path()).1;
            let blocks = ends.iter().filter(|&&end| end <= at as u64).count().saturating_sub(1);
            assert_eq!(places.len(), [0, 2, 3, 5][blocks], "byte {at}");
        }
    }

    #[test]
    fn rows_of_another_model_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        for (fingerprint, dim) in [("g", DIM), ("f", DIM + 1)] {
            three(folder.path());
            assert!(open_as(folder.path(), fingerprint, dim).1.is_empty());
            assert!(open(folder.path()).1.is_empty());
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
