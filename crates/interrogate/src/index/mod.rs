//! The label index on disk: its format and its reader.
//!
//! An index is the folder that `build-index` writes, once per model: a
//! [`Manifest`], and for each table a label file and shards of f16 rows. This
//! module owns the format ([`mod@format`]), what may be trusted of it and what
//! is checked when. It does not encode, does not scan, and never writes: the
//! writer is in `build-index` and works by the same constants.
//!
//! Opening is cheap and checks shape; [`Index::verify`] reads everything.

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

use crate::rank::device::Place;
use crate::{Device, Error, Result};

/// An open index.
///
/// Its files are mapped and stay readable while a builder replaces the index;
/// whoever opens it after that sees the new one.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    manifest: Manifest,
    tables: Vec<Table>,
}

impl Index {
    /// Opens the index in `folder`: reads the manifest, maps every file it
    /// names, compares their sizes and parses their headers. No row and no label
    /// is read, so that the cost is that of a few system calls a file.
    ///
    /// # Errors
    /// [`Error::IndexMissing`], [`Error::IndexUnfinished`] where a build did not
    /// end, [`Error::IndexVersion`], [`Error::Json`], [`Error::IndexDamaged`]
    /// where a file is absent or not what the manifest says, [`Error::Io`].
    pub fn open(folder: &Path) -> Result<Self> {
        let mut manifest = Manifest::open(folder)?;
        loop {
            let open_table = |entry| Table::open(folder, manifest.dim(), entry);
            match manifest.tables().iter().map(open_table).collect::<Result<_>>() {
                Ok(tables) => return Ok(Index { path: folder.to_owned(), manifest, tables }),
                // A builder may have swapped the manifest and swept the old
                // files between the two reads. Then, and only then, there is
                // another manifest to try.
                Err(error) => match Manifest::open(folder)? {
                    same if same == manifest => return Err(error),
                    newer => manifest = newer,
                },
            }
        }
    }

    /// The same index, its tables to be ranked on `device`: the rows of a table go
    /// there at its first ranking. The answers are the same.
    ///
    /// # Errors
    /// Those of [`Device::check`].
    pub fn on(mut self, device: Device) -> Result<Self> {
        let place = (!device.is_cpu()).then(|| Place::new(device)).transpose()?;
        for table in &mut self.tables {
            table.set_place(place.as_ref().map(Place::another));
        }
        Ok(self)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What manifest.json says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.manifest.dim()
    }

    /// The tables, by name.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table `name`.
    ///
    /// # Errors
    /// [`Error::TableMissing`], which lists those there are.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.tables.iter().find(|table| table.name() == name).ok_or_else(|| Error::TableMissing {
            path: self.path.clone(),
            name: name.to_owned(),
            tables: self.tables.iter().map(|table| table.name().to_owned()).collect(),
        })
    }

    /// The tables `names` in this order, to be ranked as one.
    ///
    /// # Errors
    /// [`Error::TableMissing`].
    pub fn merged(&self, names: &[&str]) -> Result<Merged<'_>> {
        let tables = names.iter().map(|name| self.table(name)).collect::<Result<Vec<_>>>()?;
        Ok(Merged::indexed(tables))
    }

    /// Refuses a model that the index was not built with. `id` is for the
    /// message; the fingerprint decides.
    ///
    /// # Errors
    /// [`Error::IndexModel`].
    pub fn check_model(&self, id: &str, fingerprint: &str) -> Result<()> {
        let ModelEntry { id: built_with, fingerprint: built, .. } = self.manifest.model();
        if built == fingerprint {
            return Ok(());
        }
        let name = |id: &str, fingerprint: &str| {
            let start: String = fingerprint.chars().take(12).collect();
            format!("{id} ({start})")
        };
        Err(Error::IndexModel {
            path: self.path.clone(),
            expected: name(id, fingerprint),
            found: name(built_with, built),
        })
    }

    /// Reads every byte: checksums of all files, labels as UTF-8 against the
    /// dictionary's digest, rows finite and of unit length. `progress` is called
    /// every few megabytes.
    ///
    /// # Errors
    /// [`Error::IndexDamaged`], naming the first file that is not what the
    /// builder wrote.
    pub fn verify(&self, mut progress: impl FnMut(VerifyProgress)) -> Result<()> {
        verify::verify(self, &mut progress)
    }

    /// Size of its files, the manifest aside.
    pub fn bytes(&self) -> u64 {
        self.manifest.tables().iter().map(TableEntry::bytes).fold(0, u64::saturating_add)
    }
}
