//! Writes the tables of an index as caches that clip-interrogator reads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::f16;
use interrogate::Error as LibraryError;
use interrogate::index::format::EMBEDS;
use interrogate::index::{Digest, Index, Table};
use interrogate::rank::Rows;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use zerocopy::IntoBytes;

use super::names::file_name;
use super::{HASH, HEX, digest};
use crate::durable::{self, Draft};
use crate::{CacheError, Dictionary, Error, Result, Texts};

/// An export of an index to clip-interrogator's caches.
pub struct Export<'a> {
    index: &'a Index,
    dictionaries: &'a [Dictionary],
    name: &'a str,
}

/// What an export wrote.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Exported {
    /// The files, by table.
    pub files: Vec<PathBuf>,
    /// Rows in all of them.
    pub rows: usize,
    /// Rows of lines that repeat a label; they equal the first's.
    pub repeated: usize,
    /// Labels without a row in the index, mostly blank ones, that were encoded.
    /// clip-interrogator's own rows for them may differ in their bits.
    pub encoded: usize,
}

impl<'a> Export<'a> {
    /// Returns the export of `index`. A table with a dictionary gets a row for every line,
    /// as clip-interrogator only reads caches of all its labels; a table without one gets
    /// the labels of the index. `name` is the model's name there
    /// ([`cache_names`](super::cache_names)).
    pub fn new(index: &'a Index, dictionaries: &'a [Dictionary], name: &'a str) -> Self {
        Export { index, dictionaries, name }
    }

    /// Writes a file for each table in `folder`, which is created. `encode` returns the rows
    /// (labels, dim) of labels that the index leaves out; it is called for each table that
    /// has some.
    ///
    /// The files are renamed when all are written, so an error leaves none. Memory: about
    /// 60 bytes a label of one table; rows are copied from the map.
    ///
    /// # Errors
    /// [`CacheError::Exists`], [`CacheError::OtherDictionary`], those of `encode`, and
    /// the library's for the disk.
    pub fn write(
        &self,
        folder: &Path,
        mut encode: impl FnMut(&[&str]) -> Result<Vec<f16>>,
    ) -> Result<Exported> {
        let mut tables = Vec::new();
        for table in self.index.tables() {
            let path = folder.join(file_name(self.name, table.name()));
            if path.symlink_metadata().is_ok() {
                return Err(CacheError::Exists { path }.into());
            }
            tables.push((table, self.labels(table)?, path));
        }
        durable::create_folder(folder)?;
        let mut exported = Exported::default();
        let mut drafts = Vec::new();
        for (table, labels, _) in &tables {
            drafts.push(self.draft(table, labels, folder, &mut encode, &mut exported)?);
        }
        for (draft, (_, _, path)) in drafts.into_iter().zip(tables) {
            draft.persist(&path)?;
            exported.files.push(path);
        }
        Ok(exported)
    }

    /// Returns the labels of a table's cache.
    fn labels(&self, table: &Table) -> Result<Texts> {
        let name = table.name();
        let Some(dictionary) = self.dictionaries.iter().find(|d| d.table() == name) else {
            let mut labels = Texts::default();
            for label in table.labels() {
                let too_long =
                    || LibraryError::mismatch(self.index.path(), "labels", "at most 4 GiB", "more");
                labels.push(&[label?]).ok_or_else(too_long)?;
            }
            return Ok(labels);
        };
        let entry = self.index.manifest().tables().iter().find(|entry| entry.name == name);
        let built = entry.map(|entry| entry.dictionary);
        if built != Some(Digest::of_labels(dictionary.labels().iter())) {
            let (path, index) = (dictionary.path().to_owned(), self.index.path().to_owned());
            return Err(CacheError::OtherDictionary { path, index, table: name.to_owned() }.into());
        }
        dictionary.every_label()
    }

    /// Writes a table's cache to a draft.
    fn draft(
        &self,
        table: &Table,
        labels: &Texts,
        folder: &Path,
        encode: &mut impl FnMut(&[&str]) -> Result<Vec<f16>>,
        exported: &mut Exported,
    ) -> Result<Draft> {
        let dim = self.index.dim();
        let rows = Rows::new(dim, table.rows())?;
        let mut numbers = HashMap::with_capacity(table.len());
        for (row, label) in table.labels().enumerate() {
            numbers.insert(label?, row);
        }
        let mut missing: Vec<&str> =
            labels.iter().filter(|label| !numbers.contains_key(label)).collect();
        missing.sort_unstable();
        missing.dedup();
        let encoded = if missing.is_empty() { Vec::new() } else { encode(&missing)? };
        if encoded.len() != missing.len() * dim {
            return Err(Error::Rows { expected: missing.len(), found: encoded.len() / dim });
        }
        let header = header(labels.len(), dim)
            .map_err(|e| LibraryError::mismatch(folder, "cache", "a header in bounds", e))?;
        let mut draft = Draft::create(folder)?;
        draft.append(&header)?;
        for label in labels.iter() {
            let own = numbers.get(label).and_then(|&row| rows.row(row));
            let new = || {
                let at = missing.binary_search(&label).ok()?;
                encoded.get(at * dim..(at + 1) * dim)
            };
            let row_missing = || Error::RowMissing { label: label.to_owned() };
            draft.append(own.or_else(new).ok_or_else(row_missing)?.as_bytes())?;
        }
        draft.append(digest(labels.iter()).as_bytes())?;
        let absent = labels.iter().filter(|label| !numbers.contains_key(label)).count();
        exported.rows += labels.len();
        exported.encoded += missing.len();
        exported.repeated += labels.len() - table.len().min(labels.len()) - absent;
        Ok(draft)
    }
}

/// Returns the header of a cache, after its length, padded by spaces (as the format allows)
/// so that the rows begin at a multiple of 8 bytes.
fn header(
    rows: usize,
    dim: usize,
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let end = rows.checked_mul(dim).and_then(|values| values.checked_mul(2));
    let end = end.filter(|end| end.checked_add(HEX).is_some()).ok_or("too many rows")?;
    let tensor = |dtype, shape, data_offsets| TensorInfo { dtype, shape, data_offsets };
    let embeds = tensor(Dtype::F16, vec![rows, dim], (0, end));
    let hash = tensor(Dtype::I8, vec![HEX], (end, end + HEX));
    let metadata = Metadata::new(None, vec![(EMBEDS.into(), embeds), (HASH.into(), hash)])?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}
