//! The files of an index: shards, label tables and the manifest.
//!
//! The layout is `interrogate::index`'s; here it is written, streaming, so that
//! a shard of any size takes a fixed amount of memory.

use std::path::Path;

use interrogate::Error as LibraryError;
use interrogate::index::format::{ALIGNMENT, EMBEDS, MANIFEST, labels_name};
use interrogate::index::{Digest, FileEntry, Hasher, Manifest, ShardEntry, pack_labels};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::Result;
use crate::dictionary::Texts;
use crate::durable::{Draft, sync_folder};

/// A shard in the making: a header that says how many rows there will be, then
/// the rows.
pub(crate) struct ShardWriter {
    draft: Draft,
    hasher: Hasher,
    rows: usize,
    bytes: u64,
}

impl ShardWriter {
    /// Begins a shard of `rows` rows of `dim` f16 values in `folder`.
    pub(crate) fn create(folder: &Path, rows: usize, dim: usize) -> Result<Self> {
        let draft = Draft::create(folder)?;
        let mut shard = ShardWriter { draft, hasher: Hasher::default(), rows, bytes: 0 };
        let header = header(rows, dim)
            .map_err(|e| LibraryError::mismatch(folder, "shard", "a header in bounds", e))?;
        shard.append(&header)?;
        Ok(shard)
    }

    /// Appends rows: f16, lowest byte first. Whoever calls it brings as many as
    /// it has said.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.draft.write(bytes)
    }

    /// Ends the shard under the name that `name` makes of its checksum.
    pub(crate) fn finish(self, name: impl FnOnce(&Digest) -> String) -> Result<ShardEntry> {
        let sha256 = self.hasher.finish();
        self.draft.persist(&name(&sha256))?;
        Ok(ShardEntry { rows: self.rows, bytes: self.bytes, sha256 })
    }
}

/// Writes a table's label file in `folder`.
pub(crate) fn write_labels(folder: &Path, table: &str, labels: &Texts) -> Result<FileEntry> {
    let bytes = pack_labels(folder, labels.iter())?;
    let sha256 = Digest::of(&bytes);
    let mut draft = Draft::create(folder)?;
    draft.write(&bytes)?;
    draft.persist(&labels_name(table, &sha256))?;
    Ok(FileEntry { bytes: bytes.len() as u64, sha256 })
}

/// Makes the files that `manifest` names the index in `folder`. From the rename
/// on, a reader sees them and not those before. Returns the manifest's size.
pub(crate) fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<u64> {
    let json = manifest.to_json()?;
    // What its reader would refuse must not take the place of what it reads.
    Manifest::parse(&folder.join(MANIFEST), &json)?;
    let mut draft = Draft::create(folder)?;
    draft.write(&json)?;
    sync_folder(folder)?; // the files first, then what names them
    draft.persist(MANIFEST)?;
    sync_folder(folder)?;
    Ok(json.len() as u64)
}

/// The header of a shard, with its length before it, padded by spaces (as the
/// safetensors format allows) so that the rows begin at a multiple of
/// [`ALIGNMENT`]. It holds nothing but the tensor: the same bytes every time.
fn header(rows: usize, dim: usize) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = rows.checked_mul(dim).and_then(|n| n.checked_mul(2)).ok_or("too many rows")?;
    let info = TensorInfo { dtype: Dtype::F16, shape: vec![rows, dim], data_offsets: (0, bytes) };
    let metadata = Metadata::new(None, vec![(EMBEDS.to_owned(), info)])?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize((8 + json.len()).next_multiple_of(ALIGNMENT) - 8, b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

#[cfg(test)]
mod tests {
    use interrogate::index::{ModelEntry, Shard};
    use proptest::prelude::*;

    use super::*;

    fn write(folder: &Path, dim: usize, values: &[u16]) -> (ShardEntry, Vec<u8>) {
        let mut shard = ShardWriter::create(folder, values.len() / dim, dim).unwrap();
        for row in values.chunks(dim) {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            shard.append(&bytes).unwrap();
        }
        let entry = shard.finish(|_| "shard".to_owned()).unwrap();
        (entry, std::fs::read(folder.join("shard")).unwrap())
    }

    #[test]
    fn any_safetensors_reader_reads_a_shard() {
        let folder = tempfile::tempdir().unwrap();
        let (_, bytes) = write(folder.path(), 2, &[1, 2, 3, 4, 5, 6]);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let embeds = tensors.tensor("embeds").unwrap();
        assert_eq!((embeds.dtype(), embeds.shape()), (Dtype::F16, &[3, 2][..]));
        assert_eq!(embeds.data(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
    }

    #[test]
    fn a_manifest_that_no_reader_opens_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let model = ModelEntry { id: "m".into(), fingerprint: "f".into(), precision: None };
        let error = write_manifest(folder.path(), &Manifest::new(model, 0, vec![])).unwrap_err();
        assert!(error.to_string().contains("dim: expected 1 to "), "{error}");
        assert!(!folder.path().join(MANIFEST).exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn rows_come_back_bit_for_bit_at_a_cache_line(
            dim in 1usize..40,
            values in prop::collection::vec(any::<u16>(), 0..400),
        ) {
            let values = &values[..values.len() / dim * dim];
            let folder = tempfile::tempdir().unwrap();
            let (entry, bytes) = write(folder.path(), dim, values);
            prop_assert_eq!(entry.bytes, bytes.len() as u64);
            prop_assert_eq!(entry.sha256, Digest::of(&bytes));
            prop_assert_eq!((bytes.len() - values.len() * 2) % ALIGNMENT, 0);
            let shard = Shard::open(Path::new("s"), &bytes[..]).unwrap();
            prop_assert_eq!((shard.len(), shard.dim()), (values.len() / dim, dim));
            let back: Vec<u16> = shard.rows().iter().map(|v| v.to_bits()).collect();
            prop_assert_eq!(back, values);
        }
    }
}
