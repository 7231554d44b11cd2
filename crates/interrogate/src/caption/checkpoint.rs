//! The weights of a folder, mapped: one safetensors file, or the shards that
//! `model.safetensors.index.json` names.
//!
//! Owns where a weight lies and of which type it is there, and that every
//! weight is taken exactly once by name and shape. What a weight means is for
//! the models. Opening reads headers alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::TensorInfo;
use serde::Deserialize;

use super::Precision;
use super::linear::Linear;
use super::norm::{LayerNorm, RmsNorm};
use super::stored::{Kind, Stored};
use crate::mmap::Mmap;
use crate::weights::header;
use crate::{Error, Result};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weights of a folder, handed out strictly.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    folder: PathBuf,
    precision: Precision,
    weights: BTreeMap<String, Place>,
    left: RefCell<BTreeSet<String>>,
}

/// Where a weight lies.
#[derive(Debug)]
struct Place {
    shard: Arc<Mmap>,
    /// Where the shard's tensors begin.
    start: usize,
    info: TensorInfo,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Maps the weights in `folder`, to be kept in `precision`.
    ///
    /// # Errors
    /// [`Error::ShardMissing`], [`Error::Pickled`] where there is nothing but a
    /// pickle, [`Error::Io`], [`Error::Json`] for a broken index,
    /// [`Error::Mismatch`] for a file that is no whole safetensors file.
    pub(crate) fn open(folder: &Path, precision: Precision) -> Result<Self> {
        let mut weights = BTreeMap::new();
        for path in files(folder)? {
            let shard = Arc::new(Mmap::open(&path)?);
            // The offsets end with the file, so that no slice below misses.
            let (start, tensors) = header::read(&path, (*shard).as_ref())?;
            for (name, info) in tensors {
                let place = Place { shard: Arc::clone(&shard), start, info };
                if weights.insert(name.clone(), place).is_some() {
                    return Err(Error::mismatch(&path, "weight", "one of each name", name));
                }
            }
        }
        let left = RefCell::new(weights.keys().cloned().collect());
        Ok(Checkpoint { folder: folder.to_owned(), precision, weights, left })
    }

    /// Bytes that all weights take in memory, in the precision asked for: as they
    /// are kept by products, but norms and biases in f32.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |place: &Place| {
            let (rows, width) = match place.info.shape.as_slice() {
                [] => (1, 1),
                [values] => return (*values as u64).saturating_mul(4),
                [rows, inner @ ..] => (*rows as u64, inner.iter().product::<usize>() as u64),
            };
            let row = match self.precision {
                Precision::F32 => width.saturating_mul(4),
                Precision::F16 | Precision::Bf16 => width.saturating_mul(2),
                Precision::Q8 => width.div_ceil(64).saturating_mul(64 + 4),
            };
            rows.saturating_mul(row)
        };
        self.weights.values().fold(0, |sum: u64, place| sum.saturating_add(size(place)))
    }

    /// Whether there is a weight of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// The weight `name` of exactly `shape`, where it lies.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::Mismatch`]
    /// for a type that is not f32, f16 or bf16.
    pub(crate) fn stored(&self, name: &str, shape: &[usize]) -> Result<Stored> {
        let missing = || Error::WeightMissing { path: self.folder.clone(), name: name.to_owned() };
        let Place { shard, start, info } = self.weights.get(name).ok_or_else(missing)?;
        if info.shape != shape {
            return Err(Error::WeightShape {
                path: self.folder.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: info.shape.clone(),
            });
        }
        let (from, to) = info.data_offsets;
        let kind = Kind::of(info.dtype).ok_or_else(|| {
            let found = format!("{:?} ({name})", info.dtype);
            Error::mismatch(&self.folder, "type of a weight", "F32, F16 or BF16", found)
        })?;
        self.left.borrow_mut().remove(name);
        Ok(Stored::mapped(Arc::clone(shard), start + from..start + to, kind))
    }

    /// The weight `name` of exactly `shape`, as f32.
    ///
    /// # Errors
    /// Those of [`stored`](Self::stored).
    pub(crate) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.stored(name, shape)?.to_f32())
    }

    /// The product with `{name}.weight` (outputs, inputs), and `{name}.bias`
    /// where `bias` says that there is one.
    ///
    /// # Errors
    /// Those of [`stored`](Self::stored).
    pub(crate) fn linear(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Linear> {
        let weight = self.stored(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = bias.then(|| self.values(&format!("{name}.bias"), &[outputs])).transpose()?;
        Linear::new(weight, inputs, bias, self.precision)
    }

    /// The product with a weight that was taken already: a tied head, or a
    /// convolution seen as one.
    ///
    /// # Errors
    /// Those of [`Linear::new`].
    pub(crate) fn linear_of(
        &self,
        weight: Stored,
        inputs: usize,
        bias: Option<Vec<f32>>,
    ) -> Result<Linear> {
        Linear::new(weight, inputs, bias, self.precision)
    }

    /// The layer norm with `{name}.weight` and `{name}.bias`.
    ///
    /// # Errors
    /// Those of [`stored`](Self::stored).
    pub(crate) fn layer_norm(&self, name: &str, dim: usize, eps: f64) -> Result<LayerNorm> {
        let weight = self.values(&format!("{name}.weight"), &[dim])?;
        let bias = self.values(&format!("{name}.bias"), &[dim])?;
        Ok(LayerNorm::new(weight, bias, eps))
    }

    /// The root-mean-square norm with `{name}.weight`.
    ///
    /// # Errors
    /// Those of [`stored`](Self::stored).
    pub(crate) fn rms_norm(&self, name: &str, dim: usize, eps: f64) -> Result<RmsNorm> {
        Ok(RmsNorm::new(self.values(&format!("{name}.weight"), &[dim])?, eps))
    }

    /// Says that no further weight will be taken. `known` tells the extras that
    /// such checkpoints carry and nobody needs.
    ///
    /// # Errors
    /// [`Error::WeightSurplus`] names those that were neither taken nor known.
    pub(crate) fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        let names: Vec<String> =
            self.left.into_inner().into_iter().filter(|name| !known(name)).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(Error::WeightSurplus { path: self.folder, names }),
        }
    }
}

/// The safetensors files of `folder`, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join(SINGLE);
    if single.exists() {
        return Ok(vec![single]);
    }
    let path = folder.join(INDEX);
    if path.exists() {
        let index: Index = super::read_json(&path)?;
        let names: BTreeSet<String> = index.weight_map.into_values().collect();
        return names.into_iter().map(|name| shard(folder, &path, &name)).collect();
    }
    let pickled = |name: &str| name.starts_with("pytorch_model") && name.ends_with(".bin");
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    match names.find(|name| pickled(name)) {
        Some(name) => Err(Error::Pickled { path: folder.join(name) }),
        None => Ok(vec![single]), // opening it tells that it is missing
    }
}

/// The file `name` beside its index: a plain name, so that no index leads out
/// of the folder.
fn shard(folder: &Path, index: &Path, name: &str) -> Result<PathBuf> {
    if Path::new(name).file_name() != Some(name.as_ref()) {
        return Err(Error::mismatch(index, "shard", "the name of a file beside it", name));
    }
    let path = folder.join(name);
    match path.exists() {
        true => Ok(path),
        false => Err(Error::ShardMissing { path, index: index.to_owned() }),
    }
}
