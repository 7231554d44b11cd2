//! The labels of a table: one bincode value, held in memory.
//!
//! A label is validated when it is read, on bytes that this process owns: no `str` borrows
//! from a memory map, whose bytes may change between validation and use. [`LabelFile`] is
//! the file on disk, which is copied at its first use. Only this module uses bincode.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::{BorrowDecode, Encode};

use super::Digest;
#[cfg(doc)]
use crate::error::IndexError;
use crate::mmap::Mmap;
use crate::{Error, Result};

/// Lengths are eight bytes, little-endian.
const CONFIG: Configuration<LittleEndian, Fixint> =
    bincode::config::standard().with_little_endian().with_fixed_int_encoding();

/// The content of a label file.
#[derive(BorrowDecode, Encode)]
struct RawLabels<'a> {
    /// The end of each label in `text`: four bytes a label, little-endian.
    ends: &'a [u8],
    /// The labels in UTF-8, concatenated.
    text: &'a [u8],
}

/// The labels of a table.
///
/// ```
/// use interrogate::index::{Labels, pack_labels};
/// use std::path::Path;
///
/// let path = Path::new("mediums.labels"); // for messages
/// let labels = Labels::open(path, pack_labels(path, ["oil painting", "a photo"])?)?;
/// assert_eq!(labels.get(1)?, "a photo");
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Debug)]
pub struct Labels {
    path: PathBuf,
    bytes: Vec<u8>,
    len: usize,
}

impl Labels {
    /// Opens the bytes of a label file; `path` is for messages. Reads two lengths and the
    /// last label's end.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if the bytes are not a label table, or the text does not end
    /// with the last label.
    pub fn open(path: &Path, bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let len = count(path, &bytes)?;
        Ok(Labels { path: path.to_owned(), bytes, len })
    }

    /// Returns the number of labels.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table has no label.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the label of `row`.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if the table has no such row, the label ends before it
    /// starts, or is not UTF-8.
    pub fn get(&self, row: usize) -> Result<&str> {
        let (raw, _) = decode(&self.path, &self.bytes)?;
        let (ends, _) = raw.ends.as_chunks::<4>();
        let end_of = |row: usize| ends.get(row).map(|&end| u32::from_le_bytes(end) as usize);
        let start = row.checked_sub(1).map_or(Some(0), end_of);
        let label = start.zip(end_of(row)).and_then(|(start, end)| raw.text.get(start..end));
        let bad = |found: String| Error::damaged(&self.path, "label", "a text", found);
        let label = label.ok_or_else(|| bad(format!("no text for row {row}")))?;
        std::str::from_utf8(label).map_err(|e| bad(format!("row {row}, {e}")))
    }

    /// Iterates over the labels in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&str>> {
        (0..self.len).map(|row| self.get(row))
    }
}

/// A table's label file: mapped when it is opened, copied and verified at its first use.
#[derive(Debug)]
pub(super) struct LabelFile {
    path: PathBuf,
    map: Mmap,
    sha256: Digest,
    len: usize,
    labels: OnceLock<Labels>,
}

impl LabelFile {
    /// Opens the mapped file at `path`. Reads two lengths and the last label's end.
    ///
    /// # Errors
    /// Those of [`Labels::open`].
    pub(super) fn new(path: PathBuf, map: Mmap, sha256: Digest) -> Result<Self> {
        let len = count(&path, map.as_ref())?;
        Ok(LabelFile { path, map, sha256, len, labels: OnceLock::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the labels. The first call copies the file.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub(super) fn labels(&self) -> Result<&Labels> {
        match self.labels.get() {
            Some(labels) => Ok(labels),
            None => {
                let labels = self.read(Digest::of)?;
                Ok(self.labels.get_or_init(|| labels)) // those of another thread are equal
            }
        }
    }

    /// Copies the labels of the file as it is now; `digest` computes the checksum of the
    /// copy.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] if the checksum does not match the manifest's; those of
    /// [`Labels::open`]; [`Error::Io`] if memory is exhausted.
    pub(super) fn read(&self, digest: impl FnOnce(&[u8]) -> Digest) -> Result<Labels> {
        let mapped = self.map.as_ref();
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(mapped.len())
            .map_err(|e| Error::io("read", &self.path)(e.into()))?;
        bytes.extend_from_slice(mapped);
        self.map.release(0..mapped.len());
        let found = digest(&bytes);
        if found != self.sha256 {
            return Err(Error::damaged(&self.path, "sha256", self.sha256, found));
        }
        let labels = Labels::open(&self.path, bytes)?;
        if labels.len() == self.len {
            Ok(labels)
        } else {
            Err(Error::damaged(&self.path, "labels", self.len, labels.len()))
        }
    }
}

/// Returns the bytes of a label file. `path` is for messages.
///
/// # Errors
/// [`Error::Mismatch`] if the labels have more than 4 GiB of text.
pub fn pack<'a>(path: &Path, labels: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>> {
    let (mut ends, mut text) = (Vec::new(), Vec::new());
    for label in labels {
        text.extend_from_slice(label.as_bytes());
        let end = u32::try_from(text.len())
            .map_err(|_| Error::mismatch(path, "labels", "at most 4 GiB", text.len()))?;
        ends.extend_from_slice(&end.to_le_bytes());
    }
    bincode::encode_to_vec(RawLabels { ends: &ends, text: &text }, CONFIG)
        .map_err(|e| Error::mismatch(path, "labels", "a table that bincode takes", e))
}

/// Returns the number of labels of the file `bytes`; checks its size.
fn count(path: &Path, bytes: &[u8]) -> Result<usize> {
    let (raw, read) = decode(path, bytes)?;
    if read != bytes.len() {
        return Err(Error::damaged(path, "size", read, bytes.len()));
    }
    let (ends, rest) = raw.ends.as_chunks::<4>();
    let end = ends.last().map_or(0, |&end| u32::from_le_bytes(end) as usize);
    if !rest.is_empty() || end != raw.text.len() {
        return Err(Error::damaged(path, "length of the text", end, raw.text.len()));
    }
    Ok(ends.len())
}

/// Decodes the two slices; returns them and the number of bytes read.
fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<(RawLabels<'a>, usize)> {
    bincode::borrow_decode_from_slice(bytes, CONFIG)
        .map_err(|e| Error::damaged(path, "labels", "a label table", e))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(bytes: &[u8]) -> Result<Labels> {
        Labels::open(Path::new("x.labels"), bytes)
    }

    fn damage(bytes: &[u8]) -> String {
        open(bytes).and_then(|l| l.iter().try_for_each(|l| l.map(drop))).unwrap_err().to_string()
    }

    #[test]
    fn the_file_is_two_length_prefixed_slices() {
        let bytes = pack(Path::new("x"), ["ab", "", "é"]).unwrap();
        let mut expected = vec![12, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([2, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]);
        expected.extend([4, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend("abé".as_bytes());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn truncation_at_any_offset_is_refused() {
        let whole = pack(Path::new("x"), ["high detail", "8k"]).unwrap();
        for cut in 0..whole.len() {
            assert!(damage(&whole[..cut]).starts_with("damaged index: x.labels: "));
        }
        assert!(damage(&[&whole[..], b"x"].concat()).contains("size: expected"));
    }

    #[test]
    fn a_flipped_bit_never_panics() {
        let whole = pack(Path::new("x"), ["high detail", "8k", "é"]).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(labels) = open(&bytes) {
                    labels.iter().for_each(drop);
                }
            }
        }
    }

    #[test]
    fn invalid_utf8_is_reported_with_its_row() {
        let mut bytes = pack(Path::new("x"), ["ab", "é"]).unwrap();
        *bytes.last_mut().unwrap() = b'x';
        assert_eq!(open(&bytes).unwrap().get(0).unwrap(), "ab");
        assert!(damage(&bytes).contains("label: expected a text, found row 1, invalid utf-8"));
    }

    #[test]
    fn decreasing_ends_are_refused() {
        let mut bytes = pack(Path::new("x"), ["ab", "cd"]).unwrap();
        bytes[8] = 9;
        assert!(damage(&bytes).contains("no text for row 0"));
        assert!(open(&bytes).unwrap().get(1).is_err());
        assert!(open(&bytes).unwrap().get(2).is_err());
    }

    proptest! {
        #[test]
        fn packed_labels_read_back_equal(labels in prop::collection::vec(".{0,12}", 0..20)) {
            let bytes = pack(Path::new("x"), labels.iter().map(String::as_str)).unwrap();
            let read = open(&bytes).unwrap();
            let back: Result<Vec<_>> = read.iter().collect();
            prop_assert_eq!(back.unwrap(), labels);
        }
    }
}
