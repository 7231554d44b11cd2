//! The journal: rows that are encoded but not yet in an index.
//!
//! An append-only file of records, each with its checksum, synced as it is
//! written. A process may die at any byte: what comes after the last whole
//! record is cut off when the journal is opened again. It belongs to one model;
//! a journal of another is begun anew. A new one is a draft with its first record, and
//! takes its place by a rename; a file of the user's under its name, or a link to
//! one, is refused and not written.
//!
//! A record is a length (8 bytes, lowest first), so many bytes, and their
//! SHA-256. The first record names the model and the width of a row. Each other
//! one is a block: the length of its label table, the table (as in a label
//! file), and the rows. A checksum can be forged: a block with a row that is not of
//! unit length is left out, and its labels are encoded again.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::format::is_unit;
use interrogate::index::{Digest, Labels, pack_labels};
use interrogate::limits::JOURNAL_RECORD;
use interrogate::mmap::Mmap;
use interrogate::output;
use zerocopy::IntoBytes;

use crate::Result;
use crate::cache::square;
use crate::durable::Draft;

/// The journal's name in the index's folder.
pub(crate) const JOURNAL: &str = "build.journal";

/// How the first record begins.
const MAGIC: &str = "label-index journal ";

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
    /// The first record.
    head: String,
    /// Blocks that were left out for a row that is not of unit length.
    refused: usize,
}

impl Journal {
    /// Opens the journal in `folder`, or begins one. Reads all of it, a record at a
    /// time, and tells `found` each label with the byte at which its row begins.
    ///
    /// Memory: a record, [`JOURNAL_RECORD`] bytes at most; a longer one ends the journal.
    ///
    /// # Errors
    /// [`LibraryError::Io`]; [`LibraryError::Mismatch`] for a link, and for a file that
    /// is no journal.
    pub(crate) fn open(
        folder: &Path,
        fingerprint: &str,
        dim: usize,
        mut found: impl FnMut(&str, u64),
    ) -> Result<Self> {
        let path = folder.join(JOURNAL);
        let head = format!("{MAGIC}1\n{fingerprint}\n{dim}\n");
        let io = |action| LibraryError::io(action, &path);
        let Some(file) = output::open_existing(&path)? else {
            return Self::begin(path, head, dim * 2);
        };
        let size = file.metadata().map_err(io("read"))?.len();
        check_magic(&path, &file)?;
        let (mut end, mut refused) = (0, 0);
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        while let Some(payload) = read_record(&mut reader, size - end).map_err(io("read"))? {
            if end == 0 && payload != head.as_bytes() {
                break;
            }
            if end > 0 {
                let found = |label: &str, at| found(label, end + 8 + at);
                match read_block(&payload, dim, found) {
                    None => break,
                    Some(false) => refused += 1,
                    Some(true) => {}
                }
            }
            end += FRAME + payload.len() as u64;
        }
        drop(reader);
        if end == 0 {
            // A journal of another model, or one whose first record is damaged.
            drop(file); // some systems replace no open file
            return Self::begin(path, head, dim * 2);
        }
        // What is behind the last whole record is the torn tail of a build that died.
        file.set_len(end).map_err(io("write"))?;
        Ok(Journal { path, file, end, stride: dim * 2, head, refused })
    }

    /// A journal of its first record, in place of any that stands at `path`.
    fn begin(path: PathBuf, head: String, stride: usize) -> Result<Self> {
        let record = record(head.as_bytes());
        let mut draft = Draft::beside(&path)?;
        draft.append(&record)?;
        draft.persist(&path)?;
        let gone = || LibraryError::mismatch(&path, "file", "the journal just begun", "none");
        let file = output::open_existing(&path)?.ok_or_else(gone)?;
        Ok(Journal { path, file, end: record.len() as u64, stride, head, refused: 0 })
    }

    /// The same journal without a block.
    pub(crate) fn begin_anew(self) -> Result<Self> {
        let Journal { path, file, stride, head, .. } = self;
        drop(file); // some systems replace no open file
        Self::begin(path, head, stride)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Blocks that were left out for a row that is not of unit length.
    pub(crate) fn refused(&self) -> usize {
        self.refused
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
        if payload.len() as u64 > JOURNAL_RECORD {
            let expected = format!("at most {JOURNAL_RECORD} bytes");
            Err(LibraryError::mismatch(&self.path, "block", expected, payload.len()))?;
        }
        let record = record(payload);
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

/// A payload in its frame.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [&length, payload, Digest::of(payload).as_bytes()].concat()
}

/// Refuses a file that does not begin as a journal does, as far as it goes.
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

/// The next record's payload; `None` where no whole record is left in the
/// `left` bytes of the file.
fn read_record(reader: &mut impl Read, left: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if left < FRAME {
        return Ok(None);
    }
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    // Of a sparse file, what it says it holds is no bound.
    if length > (left - FRAME).min(JOURNAL_RECORD) {
        return Ok(None);
    }
    let mut payload = Vec::new();
    payload.try_reserve_exact(length as usize)?;
    payload.resize(length as usize, 0);
    reader.read_exact(&mut payload)?;
    let mut checksum = [0; 32];
    reader.read_exact(&mut checksum)?;
    Ok((Digest::of(&payload).as_bytes() == &checksum).then_some(payload))
}

/// Tells `found` the labels of a block, each with the place of its row in the
/// payload; none of them, and `Some(false)`, where a row is not of unit length; none of
/// them, and `None`, where the payload is no block.
fn read_block(payload: &[u8], dim: usize, mut found: impl FnMut(&str, u64)) -> Option<bool> {
    let stride = dim * 2;
    let (length, rest) = payload.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (table, rows) = rest.split_at_checked(length)?;
    let labels = Labels::open(Path::new(JOURNAL), table).ok()?;
    if labels.len().checked_mul(stride) != Some(rows.len()) {
        return None;
    }
    labels.iter().try_for_each(|label| label.ok().map(drop))?;
    if !rows.chunks_exact(stride.max(1)).all(|row| is_unit(square(row))) {
        return Some(false);
    }
    let places = (8 + length as u64..).step_by(stride.max(1));
    labels.iter().flatten().zip(places).for_each(|(label, at)| found(label, at));
    Some(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const DIM: usize = 2;

    /// A row of unit length for each number.
    fn row(n: u16) -> [f16; DIM] {
        let angle = f64::from(n) / 100.0;
        [angle.cos(), angle.sin()].map(f16::from_f64)
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
            if (8..8 + MAGIC.len()).contains(&at) {
                let error = Journal::open(folder.path(), "f", DIM, |_, _| ()).err().unwrap();
                let tail =
                    "content: expected the journal of a build, found a file of another program";
                assert!(error.to_string().ends_with(tail), "{error}");
                assert_eq!(fs::read(&path).unwrap(), bytes);
                continue;
            }
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

    /// A block whose checksum fits and whose second row is `bad`.
    #[test]
    fn a_block_with_a_bad_row_is_left_out_and_those_after_it_stay() {
        for bad in [[f16::NAN, f16::ONE], [f16::INFINITY, f16::ZERO], [f16::ZERO, f16::ZERO]] {
            let folder = tempfile::tempdir().unwrap();
            let (mut journal, _) = open(folder.path());
            journal.append(&["a"], &row(1)).unwrap().for_each(drop);
            journal.append(&["b", "c"], &[row(2), bad].concat()).unwrap().for_each(drop);
            journal.append(&["d"], &row(4)).unwrap().for_each(drop);
            let (journal, places) = open(folder.path());
            assert_eq!(places.keys().collect::<Vec<_>>(), ["a", "d"], "{bad:?}");
            assert_eq!(journal.refused(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_and_what_it_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path());
        let (mine, path) = (folder.path().join("mine"), folder.path().join(JOURNAL));
        fs::rename(&path, &mine).unwrap(); // a whole journal, of another model even
        let whole = fs::read(&mine).unwrap();
        for soft in [true, false] {
            match soft {
                true => std::os::unix::fs::symlink(&mine, &path).unwrap(),
                false => fs::hard_link(&mine, &path).unwrap(),
            }
            for model in ["f", "g"] {
                let error = Journal::open(folder.path(), model, DIM, |_, _| ()).err().unwrap();
                let said = if soft { "kind: " } else { "links: " };
                assert!(error.to_string().contains(&format!("{JOURNAL}: {said}")), "{error}");
                assert_eq!(fs::read(&mine).unwrap(), whole);
            }
            fs::remove_file(&path).unwrap();
        }
    }

    /// Records of any length in a file that has no bytes behind its first ones: none is
    /// read, and nothing is taken for it.
    #[test]
    fn a_sparse_journal_ends_where_its_records_do() {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path());
        let path = folder.path().join(JOURNAL);
        let end = fs::metadata(&path).unwrap().len();
        for length in [0, JOURNAL_RECORD + 1, 1 << 39] {
            let mut file = File::options().write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(end)).unwrap();
            file.write_all(&u64::to_le_bytes(length)).unwrap();
            file.set_len(1 << 40).unwrap();
            assert_eq!(open(folder.path()).1.len(), 5);
            assert_eq!(fs::metadata(&path).unwrap().len(), end, "{length}");
        }
        // Nothing but zeros is no journal.
        fs::write(&path, "").unwrap();
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(Journal::open(folder.path(), "f", DIM, |_, _| ()).is_err());
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
