//! The labels of a table: one bincode value, read where it lies.
//!
//! The only module that knows bincode. Opening decodes two borrowed slices and
//! allocates nothing; a label is checked when it is asked for.

use std::path::{Path, PathBuf};

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::{BorrowDecode, Encode};

use crate::{Error, Result};

/// Lengths are eight bytes, lowest first.
const CONFIG: Configuration<LittleEndian, Fixint> =
    bincode::config::standard().with_little_endian().with_fixed_int_encoding();

/// What a label file holds.
#[derive(BorrowDecode, Encode)]
struct Packed<'a> {
    /// Where each label ends in `text`: four bytes a label, lowest first.
    ends: &'a [u8],
    /// The labels in UTF-8, one behind the other.
    text: &'a [u8],
}

/// The labels of a table over any bytes.
#[derive(Debug)]
pub struct Labels<D> {
    path: PathBuf,
    bytes: D,
    len: usize,
}

impl<D: AsRef<[u8]>> Labels<D> {
    /// Opens a label file. Reads two lengths and the last label's end.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`] where the file is no label table or the text does
    /// not end where the last label does.
    pub fn open(path: &Path, bytes: D) -> Result<Self> {
        let (packed, read) = unpack(path, bytes.as_ref())?;
        if read != bytes.as_ref().len() {
            return Err(Error::damaged(path, "size", read, bytes.as_ref().len()));
        }
        let (ends, rest) = packed.ends.as_chunks::<4>();
        let end = ends.last().map_or(0, |&end| u32::from_le_bytes(end) as usize);
        if !rest.is_empty() || end != packed.text.len() {
            return Err(Error::damaged(path, "length of the text", end, packed.text.len()));
        }
        let len = ends.len();
        Ok(Labels { path: path.to_owned(), bytes, len })
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The label of `row`.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`] where the table has no such row, its ends run
    /// backwards, or the label is not UTF-8.
    pub fn get(&self, row: usize) -> Result<&str> {
        let (packed, _) = unpack(&self.path, self.bytes.as_ref())?;
        let (ends, _) = packed.ends.as_chunks::<4>();
        let end_of = |row: usize| ends.get(row).map(|&end| u32::from_le_bytes(end) as usize);
        let start = row.checked_sub(1).map_or(Some(0), end_of);
        let label = start.zip(end_of(row)).and_then(|(start, end)| packed.text.get(start..end));
        let bad = |found: String| Error::damaged(&self.path, "label", "a text", found);
        let label = label.ok_or_else(|| bad(format!("no text for row {row}")))?;
        std::str::from_utf8(label).map_err(|e| bad(format!("row {row}, {e}")))
    }

    /// The labels in the order of the rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&str>> {
        (0..self.len).map(|row| self.get(row))
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// A label file's bytes. `path` is for messages.
///
/// # Errors
/// [`Error::Mismatch`] where the labels are more than 4 GiB of text together.
pub fn pack<'a>(path: &Path, labels: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>> {
    let (mut ends, mut text) = (Vec::new(), Vec::new());
    for label in labels {
        text.extend_from_slice(label.as_bytes());
        let end = u32::try_from(text.len())
            .map_err(|_| Error::mismatch(path, "labels", "at most 4 GiB", text.len()))?;
        ends.extend_from_slice(&end.to_le_bytes());
    }
    bincode::encode_to_vec(Packed { ends: &ends, text: &text }, CONFIG)
        .map_err(|e| Error::mismatch(path, "labels", "a table that bincode takes", e))
}

/// The two slices, and the bytes they take with their lengths.
fn unpack<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Packed<'a>, usize)> {
    bincode::borrow_decode_from_slice(bytes, CONFIG)
        .map_err(|e| Error::damaged(path, "labels", "a label table", e))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(bytes: &[u8]) -> Result<Labels<&[u8]>> {
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
    fn a_file_cut_anywhere_is_refused() {
        let whole = pack(Path::new("x"), ["high detail", "8k"]).unwrap();
        for cut in 0..whole.len() {
            assert!(damage(&whole[..cut]).starts_with("damaged index: x.labels: "));
        }
        assert!(damage(&[&whole[..], b"x"].concat()).contains("size: expected"));
    }

    #[test]
    fn a_flipped_byte_gives_an_error_or_a_label_but_no_panic() {
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
    fn text_that_is_not_utf8_is_named_by_its_row() {
        let mut bytes = pack(Path::new("x"), ["ab", "é"]).unwrap();
        *bytes.last_mut().unwrap() = b'x';
        assert_eq!(open(&bytes).unwrap().get(0).unwrap(), "ab");
        assert!(damage(&bytes).contains("label: expected a text, found row 1, invalid utf-8"));
    }

    #[test]
    fn ends_that_run_backwards_are_refused() {
        let mut bytes = pack(Path::new("x"), ["ab", "cd"]).unwrap();
        bytes[8] = 9;
        assert!(damage(&bytes).contains("no text for row 0"));
        assert!(open(&bytes).unwrap().get(1).is_err());
        assert!(open(&bytes).unwrap().get(2).is_err());
    }

    proptest! {
        #[test]
        fn labels_come_back_as_they_went_in(labels in prop::collection::vec(".{0,12}", 0..20)) {
            let bytes = pack(Path::new("x"), labels.iter().map(String::as_str)).unwrap();
            let read = open(&bytes).unwrap();
            let back: Result<Vec<_>> = read.iter().collect();
            prop_assert_eq!(back.unwrap(), labels);
        }
    }
}
