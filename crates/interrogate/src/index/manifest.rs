//! The manifest: the content of an index, in readable JSON.
//!
//! Checks its own fields: names, counts and checksum. The files are checked where they are
//! opened.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Digest;
use super::format::{self, DTYPE, FORMAT, MANIFEST, MAX_DIM, MAX_MANIFEST, MAX_SHARDS};
use crate::error::IndexError;
use crate::{Error, Result, input};

/// The content of manifest.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    model: ModelEntry,
    dim: usize,
    dtype: String,
    tables: Vec<TableEntry>,
    /// The digest of the same JSON without this field. It detects damage and edits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
}

/// The model that the rows were encoded with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Its name, as `--model` takes it.
    pub id: String,
    /// A digest of its weights, tokenizer and preprocessing, which identifies the model.
    pub fingerprint: String,
    /// The precision of the computation, if not f32. Such rows differ from f32's by more
    /// than rounding; they are read in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its name, unique in the index regardless of case.
    pub name: String,
    /// Number of labels, which is that of rows.
    pub labels: usize,
    /// Number of its labels in a prompt; `None` if the prompt decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// [`Digest::of_labels`] of its labels.
    pub dictionary: Digest,
    /// Its label file.
    pub label_file: FileEntry,
    /// Its shards, in the order of the rows.
    pub shards: Vec<ShardEntry>,
}

/// A file. Its name is derived from the table's name and the checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its size in bytes.
    pub bytes: u64,
    /// The checksum of its bytes.
    pub sha256: Digest,
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// Number of rows.
    pub rows: usize,
    /// Its size in bytes.
    pub bytes: u64,
    /// The checksum of its bytes.
    pub sha256: Digest,
}

/// The field that every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

impl Manifest {
    /// Creates a manifest of the current format; sorts `tables` by name.
    pub fn new(model: ModelEntry, dim: usize, mut tables: Vec<TableEntry>) -> Self {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        let dtype = DTYPE.to_owned();
        Manifest { format: FORMAT, model, dim, dtype, tables, sha256: None }
    }

    /// Reads and checks the manifest of the index in `folder`.
    ///
    /// # Errors
    /// [`IndexError::Missing`] if the folder is missing or empty; [`IndexError::Unfinished`]
    /// if it has files but no manifest; [`IndexError::Version`] for an unsupported format;
    /// [`Error::Json`]; [`IndexError::Damaged`] if a field is invalid or the checksum does
    /// not match; [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        match input::read(&path, MAX_MANIFEST) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Err(absent(folder))
            }
            read => Self::parse(&path, &read?),
        }
    }

    /// Parses and checks a manifest; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Json`], [`IndexError::Version`], [`IndexError::Damaged`].
    pub fn parse(path: &Path, json: &[u8]) -> Result<Self> {
        let not_json = |source| Error::Json { path: path.to_owned(), source };
        let Version { format: found } = serde_json::from_slice(json).map_err(not_json)?;
        if !(1..=u64::from(FORMAT)).contains(&found) {
            return Err(Error::Index(IndexError::Version {
                path: path.to_owned(),
                expected: FORMAT,
                found,
            }));
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(not_json)?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// Returns the manifest as indented JSON with its checksum. Equal manifests give equal
    /// bytes.
    ///
    /// # Errors
    /// [`Error::Json`], which does not occur: every key is a string.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let with_digest = Manifest { sha256: Some(self.digest()?), ..self.clone() };
        with_digest.serialize()
    }

    /// Returns the model that encoded the rows.
    pub fn model(&self) -> &ModelEntry {
        &self.model
    }

    /// Returns the number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Returns the tables, sorted by name.
    pub fn tables(&self) -> &[TableEntry] {
        &self.tables
    }

    fn serialize(&self) -> Result<Vec<u8>> {
        let path = Path::new(MANIFEST);
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::Json { path: path.to_owned(), source })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Returns the digest of this manifest without its `sha256` field.
    fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&Manifest { sha256: None, ..self.clone() }.serialize()?))
    }

    fn check(&self, path: &Path) -> Result<()> {
        let digest = self.digest()?;
        if self.sha256 != Some(digest) {
            let found = self.sha256.map_or("none".to_owned(), |digest| digest.to_string());
            return Err(Error::damaged(path, "sha256", digest, found));
        }
        // The checksum does not prevent forgery, so every field is checked.
        if self.dtype != DTYPE {
            return Err(Error::damaged(path, "dtype", DTYPE, &self.dtype));
        }
        if self.dim == 0 || self.dim > MAX_DIM {
            return Err(Error::damaged(path, "dim", format!("1 to {MAX_DIM}"), self.dim));
        }
        let mut names = HashSet::new();
        for table in &self.tables {
            if !format::is_table_name(&table.name) {
                return Err(Error::damaged(path, "table name", "a plain name", &table.name));
            }
            if !names.insert(table.name.to_lowercase()) {
                return Err(Error::damaged(path, "table name", "each once", &table.name));
            }
            if table.shards.is_empty() || table.shards.len() > MAX_SHARDS {
                let expected = format!("1 to {MAX_SHARDS}");
                return Err(Error::damaged(path, "shards", expected, table.shards.len()));
            }
            let rows = table.shards.iter().try_fold(0usize, |sum, s| sum.checked_add(s.rows));
            if rows != Some(table.labels) {
                let found = rows.map_or("more than can be counted".to_owned(), |n| n.to_string());
                return Err(Error::damaged(path, "rows of the shards", table.labels, found));
            }
        }
        Ok(())
    }
}

impl TableEntry {
    /// Returns the size of its files in bytes.
    pub fn bytes(&self) -> u64 {
        let shards = self.shards.iter().map(|shard| shard.bytes);
        shards.fold(self.label_file.bytes, u64::saturating_add)
    }

    /// Iterates over the file names of its shards, in order.
    pub fn shard_names(&self) -> impl Iterator<Item = String> {
        let count = self.shards.len();
        let name = move |(i, shard): (usize, &ShardEntry)| {
            format::shard_name(&self.name, i, count, &shard.sha256)
        };
        self.shards.iter().enumerate().map(name)
    }

    /// Returns the name of its label file.
    pub fn labels_name(&self) -> String {
        format::labels_name(&self.name, &self.label_file.sha256)
    }
}

/// Returns the error for a missing manifest: no index, or an unfinished build.
fn absent(folder: &Path) -> Error {
    let path = folder.to_owned();
    match fs::read_dir(folder).map(|mut files| files.next().is_some()) {
        Ok(true) => Error::Index(IndexError::Unfinished { path }),
        _ => Error::Index(IndexError::Missing { path }),
    }
}

#[cfg(test)]
mod tests;
