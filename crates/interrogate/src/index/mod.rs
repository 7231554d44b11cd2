//! Reads a label index from disk.
//!
//! An index is a folder that `build-index` writes once per model: a [`Manifest`], and for
//! each table a label file and shards of f16 rows. This module defines the format
//! ([`mod@format`]) and what is checked when. It does not encode or write; the writer is in
//! `build-index` and uses the same constants. The scan is in [`rank`](crate::rank).
//!
//! [`Index::open`] is cheap and checks names, sizes and headers; [`Index::verify`] reads
//! every byte.

pub mod format;

mod checksum;
mod custom;
mod labels;
mod manifest;
mod merged;
mod shard;
mod table;
mod table_ref;
#[cfg(test)]
mod tests;
mod verify;

pub use checksum::{BadDigest, Digest, Hasher};
pub use custom::CustomTable;
pub use labels::{Labels, pack as pack_labels};
pub use manifest::{FileEntry, Manifest, ModelEntry, ShardEntry, TableEntry};
pub use merged::{Match, Merged};
pub use shard::Shard;
pub use table::Table;
pub use table_ref::TableRef;
pub use verify::VerifyProgress;

use std::path::{Path, PathBuf};

use crate::error::IndexError;
use crate::rank::device::DeviceRanker;
use crate::{Device, Error, Result};

/// An open index.
///
/// Its files are memory-mapped and stay readable while a builder replaces the index; an
/// index opened afterwards is the new one.
///
/// ```
/// use interrogate::encoder::Features;
/// use interrogate::index::Index;
///
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/index-v1-codes");
/// let index = Index::open(folder.as_ref())?; // reads headers only
/// index.verify(|progress| assert!(progress.bytes <= progress.total))?; // reads every byte
///
/// let names: Vec<&str> = index.tables().iter().map(|table| table.name()).collect();
/// assert_eq!(names, ["flavors", "mediums"]);
///
/// let image = Features::new(vec![0.5; index.dim()])?;
/// let best = index.merged(&names)?.rank(&image, 3)?; // over both tables
/// assert_eq!(best.len(), 3);
/// # Ok::<(), interrogate::Error>(())
/// ```
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    manifest: Manifest,
    tables: Vec<Table>,
}

impl Index {
    /// Opens the index in `folder`: reads the manifest, maps the files that it names, checks
    /// their sizes and parses their headers. Reads no row and no label; costs a few system
    /// calls a file.
    ///
    /// # Errors
    /// [`IndexError::Missing`] if the folder is missing or empty; [`IndexError::Unfinished`]
    /// if the build did not finish; [`IndexError::Version`] for an unsupported format;
    /// [`Error::Json`] for an invalid manifest; [`IndexError::Damaged`] if a file is missing
    /// or does not match the manifest; [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self> {
        let mut manifest = Manifest::open(folder)?;
        loop {
            let open_table = |entry| Table::open(folder, manifest.dim(), entry);
            match manifest.tables().iter().map(open_table).collect::<Result<_>>() {
                Ok(tables) => return Ok(Index { path: folder.to_owned(), manifest, tables }),
                // A builder may have replaced the manifest and deleted the old files in
                // between. Retry only if the manifest has changed.
                Err(error) => match Manifest::open(folder)? {
                    same if same == manifest => return Err(error),
                    newer => manifest = newer,
                },
            }
        }
    }

    /// Ranks the tables on `device` from now on. The first ranking of a table copies its
    /// rows there. The results are the same as on the CPU.
    ///
    /// # Errors
    /// Those of [`Device::check`].
    pub fn on(mut self, device: Device) -> Result<Self> {
        let ranker = (!device.is_cpu()).then(|| DeviceRanker::new(device)).transpose()?;
        for table in &mut self.tables {
            table.set_ranker(ranker.as_ref().map(DeviceRanker::for_other_table));
        }
        Ok(self)
    }

    /// Returns the index's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content of manifest.json.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the number of values in a row.
    pub fn dim(&self) -> usize {
        self.manifest.dim()
    }

    /// Returns the tables, sorted by name.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Returns the table called `name`.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`], which lists the tables of the index.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.tables.iter().find(|table| table.name() == name).ok_or_else(|| {
            Error::Index(IndexError::TableMissing {
                path: self.path.clone(),
                name: name.to_owned(),
                tables: self.tables.iter().map(|table| table.name().to_owned()).collect(),
            })
        })
    }

    /// Merges the tables `names`, in this order, to rank them as one.
    ///
    /// # Errors
    /// [`IndexError::TableMissing`] if one does not exist.
    pub fn merged(&self, names: &[&str]) -> Result<Merged<'_>> {
        let tables = names.iter().map(|name| self.table(name)).collect::<Result<Vec<_>>>()?;
        Ok(Merged::indexed(tables))
    }

    /// Checks that the index was built with the model of this fingerprint. `id` is for the
    /// message.
    ///
    /// # Errors
    /// [`IndexError::Model`] if the fingerprints differ.
    pub fn check_model(&self, id: &str, fingerprint: &str) -> Result<()> {
        let ModelEntry { id: built_with, fingerprint: built, .. } = self.manifest.model();
        if built == fingerprint {
            return Ok(());
        }
        let name = |id: &str, fingerprint: &str| {
            let start: String = fingerprint.chars().take(12).collect();
            format!("{id} ({start})")
        };
        Err(Error::Index(IndexError::Model {
            path: self.path.clone(),
            expected: name(id, fingerprint),
            found: name(built_with, built),
        }))
    }

    /// Reads every byte and verifies the checksums of all files, that labels are UTF-8 and
    /// match the dictionary's digest, that rows are finite and of unit length, and that the
    /// quantized codes are within their error bounds. Calls `progress` every few megabytes.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], which names the first damaged file.
    pub fn verify(&self, mut progress: impl FnMut(VerifyProgress)) -> Result<()> {
        verify::verify(self, &mut progress)
    }

    /// Returns the size of the files in bytes, without the manifest.
    pub fn bytes(&self) -> u64 {
        self.manifest.tables().iter().map(TableEntry::bytes).fold(0, u64::saturating_add)
    }
}
