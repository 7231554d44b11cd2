//! One file of weights, and the index of a sharded checkpoint.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::TensorInfo;
use serde::Deserialize;

use super::archive;
use super::header::{self, Header};
use super::stored_tensor::StoredTensor;
use super::values::{Backing, Float, Values};
use crate::error::WeightsError;
use crate::mmap::FileBytes;
use crate::{Error, Result, input, limits};

/// One file and its tensors by name.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    bytes: FileBytes,
    tensors: BTreeMap<String, StoredTensor>,
}

impl Shard {
    /// Maps a safetensors file or a PyTorch archive; the content decides which, not the name.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), FileBytes::map(path)?)
    }

    /// Reads the tensors in `bytes`, the file at `path`.
    pub(super) fn new(path: PathBuf, bytes: FileBytes) -> Result<Self> {
        let tensors = if archive::is_archive(bytes.as_ref()) {
            archive::tensors(&path, bytes.as_ref())?
        } else {
            safetensors(&path, bytes.as_ref())?
        };
        Ok(Shard { path, bytes, tensors })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    pub(super) fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.get(name)
    }

    /// Returns the values of the weight `name` of this file. Verifies their checksum, if any.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a wrong checksum or a type that is not a float.
    pub(super) fn values(&self, name: &str, stored: &StoredTensor) -> Result<Values> {
        let float = Float::of(stored.dtype).ok_or_else(|| {
            let found = format!("{} for {name}", stored.dtype);
            Error::mismatch(&self.path, "type", "F16, BF16, F32 or F64", found)
        })?;
        let place = match (stored.contiguous(self.file(), name)?, &self.bytes) {
            (Cow::Owned(bytes), _) => Backing::Owned(Arc::new(bytes)),
            (Cow::Borrowed(_), FileBytes::Mapped(map)) => {
                Backing::Mapped(Arc::clone(map), stored.range.clone())
            }
            (Cow::Borrowed(_), FileBytes::Embedded(bytes)) => {
                Backing::Embedded(bytes.get(stored.range.clone()).unwrap_or_default())
            }
        };
        Ok(Values::new(place, float))
    }

    /// Returns the path, for messages, and the bytes that a [`StoredTensor`]'s range refers to.
    pub(super) fn file(&self) -> (&Path, &[u8]) {
        (&self.path, self.bytes())
    }
}

/// Reads the tensors of a safetensors file.
fn safetensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, StoredTensor>> {
    if bytes.starts_with(archive::OLD_PICKLE) {
        return Err(Error::Weights(WeightsError::BarePickle { path: path.to_owned() }));
    }
    let Header { start, tensors, .. } = header::read(path, bytes)?;
    // All offsets are within the file, so no sum overflows.
    let stored = tensors.into_iter().map(|(name, TensorInfo { dtype, shape, data_offsets })| {
        let range = start + data_offsets.0..start + data_offsets.1;
        (name, StoredTensor { dtype, shape, range, strides: None, checksum: None })
    });
    Ok(stored.collect())
}

/// The part of a shard index that is used.
#[derive(Deserialize)]
struct ShardIndex {
    /// The file name for each weight name.
    weight_map: BTreeMap<String, String>,
}

/// The name of each weight in an index, and the file that must contain it.
pub(super) type IndexEntries = Vec<(String, PathBuf)>;

/// Opens the shards of the index at `path`, sorted by file name. Returns them and the index's
/// entries.
pub(super) fn open_shards(path: &Path) -> Result<(Vec<Shard>, IndexEntries)> {
    let text = input::read(path, limits::SHARD_INDEX)?;
    let index: ShardIndex = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: path.to_owned(), source })?;
    let files: BTreeSet<&String> = index.weight_map.values().collect();
    // The index is untrusted: a shard must be in the index's own folder.
    let plain = |name: &&String| Path::new(name).file_name() == Some(name.as_ref());
    if let Some(name) = files.iter().find(|name| !plain(name)) {
        return Err(Error::mismatch(path, "shard", "a file name", name));
    }
    let shards = files.iter().map(|name| {
        let shard = path.with_file_name(name);
        if shard.exists() {
            Shard::open(&shard)
        } else {
            Err(Error::Weights(WeightsError::ShardMissing { path: shard, index: path.to_owned() }))
        }
    });
    let shards = shards.collect::<Result<Vec<_>>>()?;
    let entries = index.weight_map.into_iter().map(|(n, file)| (n, path.with_file_name(file)));
    Ok((shards, entries.collect()))
}
