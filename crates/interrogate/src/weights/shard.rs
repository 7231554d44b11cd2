//! One safetensors file, and the index that lists several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load;
use candle_core::{Device, Tensor};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::mmap::Mmap;
use crate::{Error, Result};

/// One file: its header parsed, its tensors where they lie.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    bytes: Bytes,
    /// Where the tensors begin in `bytes`.
    start: usize,
    metadata: Metadata,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Shard {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), Bytes::Mapped(Mmap::open(path)?))
    }

    pub(super) fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(PathBuf::from(name), Bytes::Embedded(bytes))
    }

    fn new(path: PathBuf, bytes: Bytes) -> Result<Self> {
        // read_metadata checks that the offsets are contiguous, fit the shapes,
        // and end at the last byte; the header's length fits a usize with the 8
        // bytes before it.
        let (header, metadata) = SafeTensors::read_metadata(bytes.as_ref())
            .map_err(|e| Error::mismatch(&path, "safetensors", "a whole file", e))?;
        Ok(Shard { path, bytes, start: header + 8, metadata })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.tensors().into_keys().collect()
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    pub(super) fn expect_shape(&self, name: &str, shape: &[usize]) -> Result<()> {
        let found = &self.info(name)?.shape;
        if found == shape {
            return Ok(());
        }
        Err(Error::WeightShape {
            path: self.path.clone(),
            name: name.to_owned(),
            expected: shape.to_vec(),
            found: found.clone(),
        })
    }

    /// A copy of the weight, in the file's own float type.
    pub(super) fn load(&self, name: &str) -> Result<Tensor> {
        let info = self.info(name)?;
        if !matches!(info.dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64) {
            let found = format!("{} for {name}", info.dtype);
            return Err(Error::mismatch(&self.path, "type", "F16, BF16, F32 or F64", found));
        }
        // The header was checked against the length of the file; a map whose file
        // was cut since would have raised SIGBUS, not changed its length.
        let (from, to) = info.data_offsets;
        let data = self.bytes().get(self.start..).and_then(|tensors| tensors.get(from..to));
        let data = data.ok_or_else(|| self.missing(name))?;
        TensorView::new(info.dtype, info.shape.clone(), data)
            .map_err(|e| Error::mismatch(&self.path, "safetensors", "a readable tensor", e))?
            .load(&Device::Cpu)
            .map_err(Error::engine("read a weight"))
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.metadata.info(name).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Error {
        Error::WeightMissing { path: self.path.clone(), name: name.to_owned() }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map.as_ref(),
            Bytes::Embedded(bytes) => bytes,
        }
    }
}

/// What `model.safetensors.index.json` holds, as far as it matters.
#[derive(Deserialize)]
struct Index {
    /// The file of each weight.
    weight_map: BTreeMap<String, String>,
}

/// Weights, and the file that must have each.
pub(super) type Listed = Vec<(String, PathBuf)>;

/// The shards that the index at `path` names, sorted by name, and the weights
/// it lists.
pub(super) fn open_all(path: &Path) -> Result<(Vec<Shard>, Listed)> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|source| Error::Json { path: path.to_owned(), source })?;
    let files: BTreeSet<&String> = index.weight_map.values().collect();
    // An index comes from a download: it may not reach outside its own folder.
    let plain = |name: &&String| Path::new(name).file_name() == Some(name.as_ref());
    if let Some(name) = files.iter().find(|name| !plain(name)) {
        return Err(Error::mismatch(path, "shard", "a file name", name));
    }
    let shards = files.iter().map(|name| Shard::open(&path.with_file_name(name)));
    let shards = shards.collect::<Result<Vec<_>>>()?;
    let listed = index.weight_map.into_iter().map(|(n, file)| (n, path.with_file_name(file)));
    Ok((shards, listed.collect()))
}
