//! Named weights of safetensors files and PyTorch archives, handed out strictly.
//!
//! A model takes each weight by name with the shape that its configuration asks
//! for, and then says it is finished: a weight that is missing, misshapen or left
//! over is an error that names it. A checkpoint cut into shards reads as one
//! file; one of another layout is seen through views, under the names that the
//! models ask for. What a name means is for the models.

mod archive;
pub(crate) mod header;
mod shard;
mod stored_tensor;
#[cfg(test)]
mod tests;
mod values;
mod view;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{Error, Result};
use shard::Shard;
use stored_tensor::StoredTensor;
pub(crate) use values::{Bytes, Float, Values};
pub(crate) use view::View;

/// The files of weights in a folder, the first that is there; those of shards are told by
/// the ending.
const FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The weights of one checkpoint.
#[derive(Debug)]
pub struct Weights {
    /// The file, or the index that names the shards.
    path: PathBuf,
    shards: Vec<Shard>,
    /// Which shard holds a weight.
    shard_of: BTreeMap<String, usize>,
    /// Weights that are seen under another name, and their shapes so.
    views: BTreeMap<String, (View, Vec<usize>)>,
    /// What nobody has taken yet.
    unused: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Maps the file at `path` and reads what it names: a safetensors file's
    /// header, or the pickle of an archive that `torch.save` or TorchScript wrote,
    /// of which no code runs. The content tells which it is.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be mapped, [`Error::Mismatch`] where
    /// it is no whole file of either kind, [`Error::Pickle`] where an archive
    /// holds more than tensors and their names, [`Error::Pickled`] for what
    /// PyTorch wrote before 1.6.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), vec![Shard::open(path)?])
    }

    /// Maps every shard that an index (`model.safetensors.index.json`,
    /// `pytorch_model.bin.index.json`) names, from the
    /// folder that it stands in, and reads their headers.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`Error::Json`] where the index does not
    /// parse; [`Error::ShardMissing`]; [`Error::Mismatch`] where it names a file outside its folder or a
    /// weight stands in two shards; [`Error::WeightMissing`] where a shard lacks
    /// what the index says it has.
    pub fn open_sharded(index: &Path) -> Result<Self> {
        let (shards, listed) = shard::open_shards(index)?;
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

    /// Opens the weights in `folder`, under the names that Hugging Face gives them: the
    /// first that is there of one file and an index of shards, as safetensors and as
    /// PyTorch's archives.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`open_sharded`](Self::open_sharded).
    pub fn open_folder(folder: &Path) -> Result<Self> {
        let there = FILES.into_iter().find(|name| folder.join(name).exists());
        // Opening the first says that it is missing.
        Self::open_any(&folder.join(there.unwrap_or(FILES[0])))
    }

    /// Opens a file of weights, or the index of several, which ends with `.json`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`open_sharded`](Self::open_sharded).
    pub(crate) fn open_any(path: &Path) -> Result<Self> {
        match path.extension().is_some_and(|end| end == "json") {
            true => Self::open_sharded(path),
            false => Self::open(path),
        }
    }

    fn new(path: PathBuf, shards: Vec<Shard>) -> Result<Self> {
        let mut shard_of = BTreeMap::new();
        for (number, shard) in shards.iter().enumerate() {
            for name in shard.names() {
                if shard_of.insert(name.clone(), number).is_some() {
                    return Err(Error::mismatch(&path, "shards", "each weight once", name));
                }
            }
        }
        let unused = RefCell::new(shard_of.keys().cloned().collect());
        Ok(Weights { path, shards, shard_of, views: BTreeMap::new(), unused })
    }

    /// The same weights seen under other names: each of `views` in place of the
    /// stored weight that it is a view of. What has no view keeps its name.
    ///
    /// # Errors
    /// [`Error::WeightMissing`] where there is no such weight,
    /// [`Error::Mismatch`] where it has no such rows or cannot be transposed, and
    /// where two would have one name.
    pub(crate) fn with_views(mut self, views: Vec<(String, View)>) -> Result<Self> {
        for (name, view) in views {
            let (_, stored) = self.find(&view.source)?;
            let shape = view.shape(&stored.shape).ok_or_else(|| {
                let found = format!("{:?} for {}", stored.shape, view.source);
                Error::mismatch(&self.path, "shape", format!("one with room for {name}"), found)
            })?;
            self.unused.get_mut().remove(&view.source);
            let homeless = !self.shard_of.contains_key(&name);
            self.unused.get_mut().insert(name.clone());
            if self.views.insert(name.clone(), (view, shape)).is_some() || !homeless {
                return Err(Error::mismatch(&self.path, "names", "each weight once", name));
            }
        }
        Ok(self)
    }

    /// The file, or the index that names the shards, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of each file, in the order of the shards' names.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.shards.iter().map(Shard::bytes)
    }

    /// The names of all weights, those that are seen under another name by that.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let hidden: BTreeSet<&String> = self.views.values().map(|(view, _)| &view.source).collect();
        let plain = self.shard_of.keys().filter(move |name| !hidden.contains(name));
        plain.chain(self.views.keys())
    }

    /// Whether there is a weight of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.views.contains_key(name) || self.shard_of.contains_key(name)
    }

    /// The shape of a weight, or `None` where there is none of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        match self.views.get(name) {
            Some((_, shape)) => Some(shape),
            None => Some(&self.find(name).ok()?.1.shape),
        }
    }

    /// The whole number that the weight `name` is, where it is one without
    /// dimensions.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::Mismatch`] for a checksum.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>> {
        let (shard, stored) = self.find(name)?;
        stored.integer(shard.file(), name)
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
            self.check_shape(name, shape)?;
        }
        let wanted: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        self.surplus(self.names().filter(|n| !wanted.contains(n.as_str()) && !known(n)))
    }

    /// The values of the weight `name` of exactly `shape`, where they lie. Counts it as
    /// taken.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::Mismatch`] for a type that
    /// is not a float, and for bytes that differ from an archive's checksum.
    pub(crate) fn load(&self, name: &str, shape: &[usize]) -> Result<Values> {
        self.check_shape(name, shape)?;
        let view = self.views.get(name).map(|(view, _)| view);
        let source = view.map_or(name, |view| &view.source);
        let (shard, stored) = self.find(source)?;
        let mut values = shard.values(source, stored)?;
        if let (Some(rows), [all, ..]) =
            (view.and_then(|view| view.rows.as_ref()), &stored.shape[..])
        {
            let width = values.len() / all.max(&1);
            values = values.slice(rows.start * width..rows.end * width);
        }
        if let (true, &[rows, columns]) = (view.is_some_and(|view| view.transposed), shape) {
            values = values.transposed([columns, rows]);
        }
        self.unused.borrow_mut().remove(name);
        Ok(values)
    }

    /// The values of the weight `name` of exactly `shape`, in f32 and row order. Counts it as
    /// taken.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], [`Error::Mismatch`] for a type that
    /// is not a float, and for bytes that differ from an archive's checksum.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.load(name, shape)?;
        let wide = values.to_f32();
        values.release();
        Ok(wide)
    }

    /// Takes the weight `name`, where there is one, which must have the values of `table`:
    /// another name for it.
    ///
    /// # Errors
    /// Those of [`values`](Self::values), and [`Error::Mismatch`] for other values.
    pub(crate) fn check_tied(&self, name: &str, shape: &[usize], table: &Values) -> Result<()> {
        if !self.contains(name) || self.load(name, shape)?.bit_eq(table) {
            return Ok(());
        }
        let found = format!("other values in {name}");
        Err(Error::mismatch(&self.path, "tied weights", "those of the embedding", found))
    }

    /// Says that no further weight will be taken. `known` tells the extras that
    /// such checkpoints carry and nobody needs.
    ///
    /// # Errors
    /// [`Error::WeightSurplus`] names those that were neither taken nor known.
    pub fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        self.surplus(self.unused.borrow().iter().filter(|name| !known(name)))
    }

    /// The stored weight `name` and the file that it lies in.
    fn find(&self, name: &str) -> Result<(&Shard, &StoredTensor)> {
        let shard = self.shard_of.get(name).and_then(|&number| self.shards.get(number));
        shard
            .and_then(|shard| Some((shard, shard.get(name)?)))
            .ok_or_else(|| Error::WeightMissing { path: self.path.clone(), name: name.to_owned() })
    }

    fn check_shape(&self, name: &str, expected: &[usize]) -> Result<()> {
        let found = self.shape(name).ok_or_else(|| Error::WeightMissing {
            path: self.path.clone(),
            name: name.to_owned(),
        })?;
        if found == expected {
            return Ok(());
        }
        Err(Error::WeightShape {
            path: self.path.clone(),
            name: name.to_owned(),
            expected: expected.to_vec(),
            found: found.to_vec(),
        })
    }

    fn surplus<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::WeightSurplus { path: self.path.clone(), names })
    }
}
