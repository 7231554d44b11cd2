//! The caches of clip-interrogator 0.6.0: one safetensors file for each table.
//!
//! A cache holds `embeds`, F16 (labels, dim), unit rows in the order of the labels, and
//! `hash`, I8 (64), the SHA-256 in hex of the labels joined by commas. The labels are not
//! in the file, so it is read with its dictionary. `names` has the files' names, `folder`
//! finds the files, and `export` writes them.
//!
//! Source of the format: clip_interrogator/clip_interrogator.py of the package,
//! `LabelTable.__init__`.

mod export;
mod folder;
mod names;

pub use export::{Export, Exported};
pub use folder::open_caches;
pub use names::cache_names;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::index::Hasher;
use interrogate::index::format::{EMBEDS, MAX_DIM, MAX_HEADER, is_unit};
use interrogate::mmap::Mmap;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::{CacheError, Dictionary, Result, Texts};

/// The name of the tensor with the labels' digest.
const HASH: &str = "hash";

/// Bytes of a digest in hex.
const HEX: usize = 64;

/// An open cache. The rows are mapped.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    table: String,
    map: Mmap,
    /// The rows in the file.
    rows: Range<usize>,
    dim: usize,
    /// The row of each label; of its first line, where it has several.
    numbers: HashMap<String, usize>,
    differing: usize,
}

impl Cache {
    /// Opens the cache of `dictionary`'s table at `path`. Reads all of it, and reads the
    /// dictionary again: a cache has a row for every line, also for blank lines and
    /// duplicates.
    ///
    /// Memory: the labels and about 60 bytes for each; the rows stay in the page cache.
    ///
    /// # Errors
    /// [`CacheError::Invalid`] where the file is not a cache, is truncated, or has a row that
    /// is not of unit length; [`CacheError::Hash`] where it is of other labels;
    /// [`interrogate::Error::Io`].
    pub fn open(path: &Path, dictionary: &Dictionary) -> Result<Self> {
        let map = Mmap::open(path)?;
        let refused = |what, expected: &str, found: String| CacheError::Invalid {
            path: path.to_owned(),
            what,
            expected: expected.to_owned(),
            found,
        };
        let bytes = map.as_ref();
        let (start, header) =
            header(bytes).map_err(|found| refused("safetensors", "a whole file", found))?;
        let tensor = |name: &'static str, expected: &str, dtype: Dtype, sides: usize| {
            let found = header.info(name).ok_or_else(|| refused(name, expected, "none".into()))?;
            if found.dtype == dtype && found.shape.len() == sides {
                // The offsets are within the file, so that no sum overflows.
                return Ok((
                    &found.shape,
                    start + found.data_offsets.0..start + found.data_offsets.1,
                ));
            }
            Err(refused(name, expected, format!("{} {:?}", found.dtype, found.shape)))
        };
        let (_, hash) = tensor(HASH, "I8 [64]", Dtype::I8, 1)?;
        let hash = bytes.get(hash).filter(|hash| hash.len() == HEX);
        let hash = hash.and_then(|hash| String::from_utf8(hash.to_vec()).ok());
        let hash =
            hash.ok_or_else(|| refused(HASH, "64 hexadecimal digits", "other bytes".to_owned()))?;
        let labels = labels_of(path, dictionary, &hash)?;
        let (shape, rows) = tensor(EMBEDS, "F16 (labels, values)", Dtype::F16, 2)?;
        let (len, dim) = (shape[0], shape[1]); // two dimensions, checked above
        if len != labels.len() || !(1..=MAX_DIM).contains(&dim) {
            let expected = format!("({}, 1 to {MAX_DIM})", labels.len());
            return Err(refused("shape of embeds", &expected, format!("({len}, {dim})")).into());
        }
        let values = bytes.get(rows.clone()).unwrap_or_default(); // within the file, as all offsets
        for (row, values) in values.chunks_exact(dim * 2).enumerate() {
            let square = square(values);
            if !is_unit(square) {
                let found = format!("length {} in row {row}", square.sqrt());
                return Err(refused("rows", "unit length", found).into());
            }
        }
        let (mut numbers, mut differing) = (HashMap::with_capacity(len), 0);
        let row = |at: usize| &values[at * dim * 2..][..dim * 2];
        for (at, label) in labels.iter().enumerate() {
            match numbers.get(label) {
                Some(&first) => differing += usize::from(row(first) != row(at)),
                None => _ = numbers.insert(label.to_owned(), at),
            }
        }
        let (path, table) = (path.to_owned(), dictionary.table().to_owned());
        Ok(Cache { path, table, map, rows, dim, numbers, differing })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The table of its rows.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows of repeated labels that differ from the first row of the label. An
    /// index has one row a label and does not hold them.
    pub fn differing(&self) -> usize {
        self.differing
    }

    /// Returns the row of `label`: f16, little-endian.
    pub(crate) fn row(&self, label: &str) -> Option<&[u8]> {
        let at = *self.numbers.get(label)? * self.dim * 2;
        self.map.as_ref().get(self.rows.clone())?.get(at..at + self.dim * 2)
    }
}

/// Returns where the tensors begin, and the parsed header. The tensors are contiguous and
/// end with the file.
fn header(bytes: &[u8]) -> std::result::Result<(usize, Metadata), String> {
    let short = || format!("{} bytes", bytes.len());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEADER {
        return Err(format!("a header of {length} bytes"));
    }
    let (json, data) = rest.split_at_checked(length).ok_or_else(short)?;
    // Copied: the text of a map may change between its check and its use.
    let json = json.to_vec();
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|e| e.to_string())?;
    if metadata.data_len() == data.len() {
        Ok((8 + length, metadata))
    } else {
        Err(format!("{} of {} bytes", data.len(), metadata.data_len()))
    }
}

/// Decodes the values of a row.
pub(crate) fn halves(row: &[u8]) -> impl Iterator<Item = f32> + '_ {
    row.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32())
}

/// Returns the squared length of a row.
pub(crate) fn square(row: &[u8]) -> f64 {
    halves(row).map(|value| f64::from(value) * f64::from(value)).sum()
}

/// Returns every label of `dictionary`, if `hash` is their digest.
fn labels_of(path: &Path, dictionary: &Dictionary, hash: &str) -> Result<Texts> {
    let labels = dictionary.every_label()?;
    let expected = digest(labels.iter());
    if expected == hash {
        return Ok(labels);
    }
    let misspelled = misspelled(dictionary.table(), &labels);
    match misspelled.filter(|labels| digest(labels.iter()) == hash) {
        Some(labels) => Ok(labels),
        None => Err(CacheError::Hash {
            path: path.to_owned(),
            dictionary: dictionary.path().to_owned(),
            expected,
            found: hash.chars().filter(|c| !c.is_control()).collect(),
        }
        .into()),
    }
}

/// Returns the trendings as release 0.6.0 spells them: "dribble" for a site. Its rows fit
/// all labels but that site's four.
fn misspelled(table: &str, labels: &Texts) -> Option<Texts> {
    if table != "trendings" {
        return None;
    }
    let mut misspelled = Texts::default();
    labels
        .iter()
        .try_for_each(|label| misspelled.push(&[&label.replace("dribbble", "dribble")]))?;
    Some(misspelled)
}

/// Returns clip-interrogator's digest of labels: the SHA-256 in hex of the labels joined by
/// commas.
pub(crate) fn digest<'a>(labels: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Hasher::default();
    for (at, label) in labels.enumerate() {
        if at > 0 {
            hasher.update(b",");
        }
        hasher.update(label.as_bytes());
    }
    hasher.finish().to_string()
}

#[cfg(test)]
mod tests {
    use interrogate::index::Digest;

    use super::*;

    #[test]
    fn digest_is_of_labels_joined_by_commas() {
        assert_eq!(digest(["a", "", "b"].into_iter()), Digest::of(b"a,,b").to_string());
        assert_eq!(digest([].into_iter()), Digest::of(b"").to_string());
    }

    #[test]
    fn trendings_are_also_accepted_as_release_0_6_0_spells_them() {
        let mut labels = Texts::default();
        for label in ["dribbble", "trending on dribbble", "flickr"] {
            labels.push(&[label]).unwrap();
        }
        let misspelled = super::misspelled("trendings", &labels).unwrap();
        assert_eq!(misspelled, ["dribble", "trending on dribble", "flickr"]);
        assert!(super::misspelled("flavors", &labels).is_none());
    }
}
