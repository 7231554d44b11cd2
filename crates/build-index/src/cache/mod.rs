//! The caches of clip-interrogator 0.6.0: one safetensors file for each table.
//!
//! Owns their format: `embeds`, F16 (labels, dim), unit rows in the order of the
//! labels, and `hash`, I8 (64), the SHA-256 in hex of the labels joined by commas.
//! The labels themselves are not in the file, which is why it must be read beside
//! its dictionary. What files are called is `names`, which of a folder are meant is
//! `folder`, writing them is `export`; what becomes of the rows is `build`'s.
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
use interrogate::index::Digest;
use interrogate::index::format::{EMBEDS, MAX_DIM, MAX_HEADER, is_unit};
use interrogate::mmap::Mmap;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::{CacheError, Dictionary, Result, Texts};

/// The tensor of the labels' digest.
const HASH: &str = "hash";

/// Bytes of a digest in hex.
const HEX: usize = 64;

/// An open cache: its rows where they lie, and whose they are.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    table: String,
    map: Mmap,
    /// Where the rows lie in the file.
    rows: Range<usize>,
    dim: usize,
    /// The row of each label, of its first line where it has several.
    numbers: HashMap<String, usize>,
    differing: usize,
}

impl Cache {
    /// Opens the cache of `dictionary`'s table at `path`. Reads all of it, and the
    /// dictionary once more, of which it must have every line: the blank one and
    /// the duplicates, too, that our own tables leave out.
    ///
    /// Memory: the labels and some 60 bytes for each; the rows stay in the page
    /// cache.
    ///
    /// # Errors
    /// [`CacheError::Invalid`] where the file is no such cache, is cut off, or holds a row
    /// that is not of unit length; [`CacheError::Hash`] where it is of other labels;
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
                // The offsets end with the file, so that no sum overflows.
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
        let (len, dim) = (shape[0], shape[1]); // two sides, as asked
        if len != labels.len() || !(1..=MAX_DIM).contains(&dim) {
            let expected = format!("({}, 1 to {MAX_DIM})", labels.len());
            return Err(refused("shape of embeds", &expected, format!("({len}, {dim})")).into());
        }
        let values = bytes.get(rows.clone()).unwrap_or_default(); // within, as all offsets
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

    /// The table that its rows are of.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows of labels that have come before whose bits are not those of the first.
    /// An index has one row a label, so these are lost to it.
    pub fn differing(&self) -> usize {
        self.differing
    }

    /// The row of `label`: f16, lowest byte first.
    pub(crate) fn row(&self, label: &str) -> Option<&[u8]> {
        let at = *self.numbers.get(label)? * self.dim * 2;
        self.map.as_ref().get(self.rows.clone())?.get(at..at + self.dim * 2)
    }
}

/// Where the tensors begin, and what the header says of them: that they lie one
/// behind the other to the end of the file.
fn header(bytes: &[u8]) -> std::result::Result<(usize, Metadata), String> {
    let short = || format!("{} bytes", bytes.len());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEADER {
        return Err(format!("a header of {length} bytes"));
    }
    let (json, held) = rest.split_at_checked(length).ok_or_else(short)?;
    // Copied: text of a map may change between its check and its use.
    let json = json.to_vec();
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|e| e.to_string())?;
    match metadata.data_len() == held.len() {
        true => Ok((8 + length, metadata)),
        false => Err(format!("{} of {} bytes", held.len(), metadata.data_len())),
    }
}

/// The values of a row.
pub(crate) fn halves(row: &[u8]) -> impl Iterator<Item = f32> + '_ {
    row.as_chunks::<2>().0.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32())
}

/// The squared length of a row.
pub(crate) fn square(row: &[u8]) -> f64 {
    halves(row).map(|value| f64::from(value) * f64::from(value)).sum()
}

/// The labels of `dictionary` that `hash` stands for, every line of them.
fn labels_of(path: &Path, dictionary: &Dictionary, hash: &str) -> Result<Texts> {
    let labels = dictionary.every_label()?;
    let expected = joined(labels.iter());
    if expected == hash {
        return Ok(labels);
    }
    let spelled = misspelt(dictionary.table(), &labels);
    match spelled.filter(|labels| joined(labels.iter()) == hash) {
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

/// The trendings as the release 0.6.0 has them: it spells a site "dribble". Its rows
/// serve all labels but that site's four.
fn misspelt(table: &str, labels: &Texts) -> Option<Texts> {
    if table != "trendings" {
        return None;
    }
    let mut spelled = Texts::default();
    labels.iter().try_for_each(|label| spelled.push(&[&label.replace("dribbble", "dribble")]))?;
    Some(spelled)
}

/// clip-interrogator's digest of labels: SHA-256 in hex of them joined by commas.
pub(crate) fn joined<'a>(labels: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = interrogate::index::Hasher::default();
    for (at, label) in labels.enumerate() {
        if at > 0 {
            hasher.update(b",");
        }
        hasher.update(label.as_bytes());
    }
    let digest: Digest = hasher.finish();
    digest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_the_labels_joined_by_commas() {
        assert_eq!(joined(["a", "", "b"].into_iter()), Digest::of(b"a,,b").to_string());
        assert_eq!(joined([].into_iter()), Digest::of(b"").to_string());
    }

    #[test]
    fn trendings_may_be_spelled_as_0_6_0_does() {
        let mut labels = Texts::default();
        for label in ["dribbble", "trending on dribbble", "flickr"] {
            labels.push(&[label]).unwrap();
        }
        let spelled = misspelt("trendings", &labels).unwrap();
        assert_eq!(spelled, ["dribble", "trending on dribble", "flickr"]);
        assert!(misspelt("flavors", &labels).is_none());
    }
}
