//! Writes the files of an index: shards, label tables and the manifest.
//!
//! `interrogate::index` defines the layout.

mod shard;

pub(crate) use shard::write_shard;

use std::path::Path;

use interrogate::index::format::{MANIFEST, labels_name};
use interrogate::index::{Digest, FileEntry, Manifest, pack_labels};

use crate::Result;
use crate::dictionary::Texts;
use crate::durable::Draft;

/// Writes a table's label file in `folder`.
pub(crate) fn write_labels(folder: &Path, table: &str, labels: &Texts) -> Result<FileEntry> {
    let bytes = pack_labels(folder, labels.iter())?;
    let sha256 = Digest::of(&bytes);
    let mut draft = Draft::create(folder)?;
    draft.append(&bytes)?;
    draft.persist(&folder.join(labels_name(table, &sha256)))?;
    Ok(FileEntry { bytes: bytes.len() as u64, sha256 })
}

/// Writes the manifest in `folder`. The files that it names must be there. From the rename
/// on, readers open them and not those of the previous index. Returns the manifest's size
/// in bytes.
pub(crate) fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<u64> {
    let json = manifest.to_json()?;
    // A manifest that readers refuse must not replace a valid one.
    Manifest::parse(&folder.join(MANIFEST), &json)?;
    let mut draft = Draft::create(folder)?;
    draft.append(&json)?;
    draft.persist(&folder.join(MANIFEST))?;
    Ok(json.len() as u64)
}

#[cfg(test)]
mod tests {
    use interrogate::index::ModelEntry;

    use super::*;

    #[test]
    fn invalid_manifest_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelEntry { id: "m".into(), fingerprint: "f".into(), precision: None };
        let error = write_manifest(folder.path(), &Manifest::new(model, 0, vec![])).unwrap_err();
        assert!(error.to_string().contains("dim: expected 1 to "), "{error}");
        assert!(!folder.path().join(MANIFEST).exists());
    }
}
