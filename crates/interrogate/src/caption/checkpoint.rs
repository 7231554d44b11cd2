//! The weights of a folder, mapped: in one file or in the shards that an index names,
//! as safetensors or as PyTorch's archives.
//!
//! Owns which files of a folder they are, and that every weight is taken exactly once
//! by name and shape. What a weight means is for the models. Opening reads headers
//! alone.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Precision;
use super::linear::Linear;
use super::norm::{LayerNorm, RmsNorm};
use super::stored::{Kind, Stored};
use crate::weights::Weights;
use crate::{Error, Result};

/// The files that are looked for, the first that is there; those of shards are told
/// by the ending.
const FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The weights of a folder, handed out strictly.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    folder: PathBuf,
    precision: Precision,
    weights: Weights,
    left: RefCell<BTreeSet<String>>,
}

impl Checkpoint {
    /// Maps the weights in `folder`, to be kept in `precision`.
    ///
    /// # Errors
    /// [`Error::ShardMissing`], and those of [`Weights::open`] and
    /// [`Weights::open_sharded`].
    pub(crate) fn open(folder: &Path, precision: Precision) -> Result<Self> {
        let there = FILES.into_iter().find(|name| folder.join(name).exists());
        // Opening the first tells that it is missing.
        let path = folder.join(there.unwrap_or(FILES[0]));
        let weights = match path.extension().is_some_and(|end| end == "json") {
            true => Weights::open_sharded(&path)?,
            false => Weights::open(&path)?,
        };
        let left = RefCell::new(weights.names().cloned().collect());
        Ok(Checkpoint { folder: folder.to_owned(), precision, weights, left })
    }

    /// Bytes that all weights take in memory, in the precision asked for: as they
    /// are kept by products, but norms and biases in f32.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |shape: &[usize]| {
            let (rows, width) = match shape {
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
        let shapes = self.weights.names().filter_map(|name| self.weights.shape(name));
        shapes.fold(0, |sum: u64, shape| sum.saturating_add(size(shape)))
    }

    /// Whether there is a weight of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.weights.contains(name)
    }

    /// The weight `name` of exactly `shape`, where it lies.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::Mismatch`]
    /// for a type that is not f32, f16 or bf16, and for bytes that are not those of an
    /// archive's checksum.
    pub(crate) fn stored(&self, name: &str, shape: &[usize]) -> Result<Stored> {
        let missing = || Error::WeightMissing { path: self.folder.clone(), name: name.to_owned() };
        let found = self.weights.shape(name).ok_or_else(missing)?;
        if found != shape {
            return Err(Error::WeightShape {
                path: self.folder.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: found.to_vec(),
            });
        }
        let (dtype, place) = self.weights.place(name)?;
        let kind = Kind::of(dtype).ok_or_else(|| {
            let found = format!("{dtype:?} ({name})");
            Error::mismatch(&self.folder, "type of a weight", "F32, F16 or BF16", found)
        })?;
        self.left.borrow_mut().remove(name);
        Ok(Stored::new(place, kind))
    }

    /// Takes the weight `name`, where there is one, as another name of `table`:
    /// refuses it where its values are others.
    ///
    /// # Errors
    /// Those of [`stored`](Self::stored), and [`Error::Mismatch`].
    pub(crate) fn tied(&self, name: &str, shape: &[usize], table: &Stored) -> Result<()> {
        if !self.contains(name) || self.stored(name, shape)?.same(table) {
            return Ok(());
        }
        let found = format!("other values in {name}");
        Err(Error::mismatch(&self.folder, "tied weights", "those of the embedding", found))
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
