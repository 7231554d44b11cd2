//! Named weights of safetensors files, handed out strictly.
//!
//! A model takes each weight by the checkpoint's own name with the shape that
//! its configuration asks for, and then says it is finished: a weight that is
//! missing, misshapen or left over is an error that names it. A checkpoint cut
//! into shards reads as one file. What a name means is for the models.

mod shard;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};

use crate::{Error, Result};
use shard::Shard;

/// The weights of one checkpoint.
#[derive(Debug)]
pub struct Weights {
    /// The file, or the index that names the shards.
    path: PathBuf,
    shards: Vec<Shard>,
    /// Which shard holds a weight.
    homes: BTreeMap<String, usize>,
    /// What nobody has taken yet.
    left: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Maps the safetensors file at `path` and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be mapped, [`Error::Mismatch`] where
    /// it is no whole safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), vec![Shard::open(path)?])
    }

    /// Maps every shard that a `model.safetensors.index.json` names, from the
    /// folder that it stands in, and reads their headers.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`Error::Json`] where the index does not
    /// parse; [`Error::Mismatch`] where it names a file outside its folder or a
    /// weight stands in two shards; [`Error::WeightMissing`] where a shard lacks
    /// what the index says it has.
    pub fn open_sharded(index: &Path) -> Result<Self> {
        let (shards, listed) = shard::open_all(index)?;
        let weights = Self::new(index.to_owned(), shards)?;
        match listed.into_iter().find(|(name, _)| !weights.contains(name)) {
            Some((name, path)) => Err(Error::WeightMissing { path, name }),
            None => Ok(weights),
        }
    }

    /// The same over bytes that are compiled in; `name` stands for the path in
    /// errors.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where they are no whole safetensors file.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(PathBuf::from(name), vec![Shard::embedded(name, bytes)?])
    }

    fn new(path: PathBuf, shards: Vec<Shard>) -> Result<Self> {
        let mut homes = BTreeMap::new();
        for (number, shard) in shards.iter().enumerate() {
            for name in shard.names() {
                if homes.insert(name.clone(), number).is_some() {
                    return Err(Error::mismatch(&path, "shards", "each weight once", name));
                }
            }
        }
        let left = RefCell::new(homes.keys().cloned().collect());
        Ok(Weights { path, shards, homes, left })
    }

    /// The file, or the index that names the shards, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of each file, in the order of the shards' names.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.shards.iter().map(Shard::bytes)
    }

    /// Whether there is a weight of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.homes.contains_key(name)
    }

    /// The shape of a weight, or `None` where there is none of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.home(name)?.shape(name)
    }

    /// Checks a whole architecture against the headers alone: that every weight
    /// of `wanted` is there with its shape, and no other but the extras that
    /// `known` tells.
    ///
    /// # Errors
    /// [`Error::WeightMissing`] and [`Error::WeightShape`] for the first of
    /// `wanted` that fails, [`Error::WeightSurplus`] names all that are too many.
    pub fn check(
        &self,
        wanted: &[(String, Vec<usize>)],
        known: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for (name, shape) in wanted {
            self.find(name)?.expect_shape(name, shape)?;
        }
        let wanted: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        self.surplus(self.homes.keys().filter(|n| !wanted.contains(n.as_str()) && !known(n)))
    }

    /// The weight `name` of exactly `shape`, as f32 on the CPU. Copies it.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], and [`Error::Mismatch`]
    /// for a type that is not a float.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let shard = self.find(name)?;
        shard.expect_shape(name, shape)?;
        let tensor =
            shard.load(name)?.to_dtype(DType::F32).map_err(Error::engine("widen a weight"))?;
        self.left.borrow_mut().remove(name);
        Ok(tensor)
    }

    /// Says that no further weight will be taken. `known` tells the extras that
    /// such checkpoints carry and nobody needs.
    ///
    /// # Errors
    /// [`Error::WeightSurplus`] names those that were neither taken nor known.
    pub fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        self.surplus(self.left.borrow().iter().filter(|name| !known(name)))
    }

    fn home(&self, name: &str) -> Option<&Shard> {
        self.shards.get(*self.homes.get(name)?)
    }

    fn find(&self, name: &str) -> Result<&Shard> {
        self.home(name)
            .ok_or_else(|| Error::WeightMissing { path: self.path.clone(), name: name.to_owned() })
    }

    fn surplus<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::WeightSurplus { path: self.path.clone(), names })
    }
}
