//! Reads named weights from safetensors files and PyTorch archives, strictly.
//!
//! A model loads each weight by name with the shape that its configuration implies, and then
//! calls [`Weights::finish`]: a weight that is missing, unused or of another shape is an error
//! that names it. A sharded checkpoint reads like one file; a checkpoint of another layout is
//! read through views, under the names that the models use. The models define what a
//! name means.

mod archive;
mod convert;

pub(crate) mod header;
mod shapes;
mod shard;
mod stored_tensor;
#[cfg(test)]
mod tests;
mod values;
mod view;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::WeightsError;
use crate::mmap::FileBytes;
use crate::{Error, Result};
pub(crate) use convert::{Target, convert_f32};
pub(crate) use shapes::Shapes;
use shard::Shard;
use stored_tensor::StoredTensor;
pub(crate) use values::{Bytes, Float, Values};
pub(crate) use view::View;

/// The weight files of a folder; the first that exists is opened. A `.json` file is an index of
/// shards.
const FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The weights of one checkpoint.
#[derive(Debug)]
pub struct Weights {
    /// The file, or the index of the shards.
    path: PathBuf,
    shards: Vec<Shard>,
    /// The shard number for each stored weight.
    shard_of: BTreeMap<String, usize>,
    /// Views by name, with their shapes.
    views: BTreeMap<String, (View, Vec<usize>)>,
    /// Names that were not loaded yet.
    unused: RefCell<BTreeSet<String>>,
}

impl Weights {
    /// Opens the file at `path`: maps it and reads its header, or the pickle of an archive that
    /// `torch.save` or TorchScript wrote, without running its code. The content decides which.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be mapped, [`Error::Mismatch`] if it is not a complete
    /// file of either format, [`WeightsError::Pickle`] if an archive holds anything but tensors and
    /// plain values, [`WeightsError::BarePickle`] for a file of PyTorch before 1.6.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), vec![Shard::open(path)?])
    }

    /// Opens every shard of an index (`model.safetensors.index.json` or
    /// `pytorch_model.bin.index.json`), in the index's folder.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); [`Error::Json`] if the index does not parse;
    /// [`WeightsError::ShardMissing`]; [`Error::Mismatch`] if it names a file outside its folder or two
    /// shards contain the same weight; [`WeightsError::Missing`] if a shard lacks a weight that
    /// the index lists.
    pub fn open_sharded(index: &Path) -> Result<Self> {
        let (shards, entries) = shard::open_shards(index)?;
        let weights = Self::new(index.to_owned(), shards)?;
        match entries.into_iter().find(|(name, _)| !weights.contains(name)) {
            Some((name, path)) => Err(Error::Weights(WeightsError::Missing { path, name })),
            None => Ok(weights),
        }
    }

    /// Opens the file at `path`, whose bytes are `bytes`, like [`open`](Self::open).
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except [`Error::Io`].
    pub(crate) fn from_bytes(path: PathBuf, bytes: FileBytes) -> Result<Self> {
        Self::new(path.clone(), vec![Shard::new(path, bytes)?])
    }

    /// Opens the weights in `folder` by Hugging Face's file names: the first that exists of
    /// `model.safetensors`, its index of shards, `pytorch_model.bin` and its index of shards.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`open_sharded`](Self::open_sharded).
    pub fn open_folder(folder: &Path) -> Result<Self> {
        let existing = FILES.into_iter().find(|name| folder.join(name).exists());
        // If none exists, opening the first reports it as missing.
        Self::open_any(&folder.join(existing.unwrap_or(FILES[0])))
    }

    /// Opens a file of weights, or an index of shards if the name ends with `.json`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`open_sharded`](Self::open_sharded).
    pub(crate) fn open_any(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|end| end == "json") {
            Self::open_sharded(path)
        } else {
            Self::open(path)
        }
    }

    fn new(path: PathBuf, shards: Vec<Shard>) -> Result<Self> {
        let mut shard_of = BTreeMap::new();
        for (number, shard) in shards.iter().enumerate() {
            for name in shard.names() {
                if shard_of.insert(name.clone(), number).is_some() {
                    let found = format!("{name} twice");
                    return Err(Error::mismatch(&path, "shards", "unique weights", found));
                }
            }
        }
        let unused = RefCell::new(shard_of.keys().cloned().collect());
        Ok(Weights { path, shards, shard_of, views: BTreeMap::new(), unused })
    }

    /// Renames weights: each view replaces the stored weight that it refers to. A weight without
    /// a view keeps its name.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] if there is no such weight, [`Error::Mismatch`] if it has no such
    /// rows or cannot be transposed, or if two weights would have the same name.
    pub(crate) fn with_views(mut self, views: Vec<(String, View)>) -> Result<Self> {
        for (name, view) in views {
            let (_, stored) = self.find(&view.source)?;
            let shape = view.shape(&stored.shape).ok_or_else(|| {
                let found = format!("{:?} for {}", stored.shape, view.source);
                Error::mismatch(&self.path, "shape", format!("one that contains {name}"), found)
            })?;
            self.unused.get_mut().remove(&view.source);
            let is_stored = self.shard_of.contains_key(&name);
            self.unused.get_mut().insert(name.clone());
            if self.views.insert(name.clone(), (view, shape)).is_some() || is_stored {
                let found = format!("{name} twice");
                return Err(Error::mismatch(&self.path, "names", "unique weights", found));
            }
        }
        Ok(self)
    }

    /// Returns the path of the file or of the index of shards, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes of each file, ordered by shard name.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.shards.iter().map(Shard::bytes)
    }

    /// Returns the names of all weights; a weight with a view has only the view's name.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let hidden: BTreeSet<&String> = self.views.values().map(|(view, _)| &view.source).collect();
        let plain = self.shard_of.keys().filter(move |name| !hidden.contains(name));
        plain.chain(self.views.keys())
    }

    /// Whether there is a weight `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.views.contains_key(name) || self.shard_of.contains_key(name)
    }

    /// Returns the shape of the weight `name`, if any.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        match self.views.get(name) {
            Some((_, shape)) => Some(shape),
            None => Some(&self.find(name).ok()?.1.shape),
        }
    }

    /// Whether more than half of the stored values are f16.
    pub(crate) fn is_mostly_f16(&self) -> bool {
        let (mut halves, mut all) = (0u64, 0u64);
        for name in self.shard_of.keys() {
            let Ok((_, stored)) = self.find(name) else { continue };
            let values = stored.shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64));
            match Float::of(stored.dtype) {
                None => continue,
                Some(Float::F16) => halves = halves.saturating_add(values),
                Some(_) => {}
            }
            all = all.saturating_add(values);
        }
        halves > all / 2
    }

    /// Returns the value of the weight `name` if it is an integer scalar, else `None`.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`Error::Mismatch`] for a wrong checksum.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>> {
        let (shard, stored) = self.find(name)?;
        stored.integer(shard.file(), name)
    }

    /// Checks an architecture against the headers alone: every weight of `expected` must exist
    /// with its shape, and any other weight must satisfy `ignored`.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] and [`WeightsError::Shape`] for the first of `expected` that
    /// fails, [`WeightsError::Surplus`] with the names of all other weights.
    pub fn check(
        &self,
        expected: &[(String, Vec<usize>)],
        ignored: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for (name, shape) in expected {
            self.check_shape(name, shape)?;
        }
        let expected: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        self.surplus(self.names().filter(|n| !expected.contains(n.as_str()) && !ignored(n)))
    }

    /// Loads the weight `name`, which must have exactly this `shape`, without copying values
    /// that are contiguous in the file. Marks it as used.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`], [`Error::Mismatch`] for a type that is
    /// not a float or a wrong checksum.
    pub(crate) fn load(&self, name: &str, shape: &[usize]) -> Result<Values> {
        self.check_shape(name, shape)?;
        let view = self.views.get(name).map(|(view, _)| view);
        let source = view.map_or(name, |view| &view.source);
        let (shard, stored) = self.find(source)?;
        let mut values = shard.values(source, stored)?;
        if let Some(view) = view
            && let (Some(rows), [all, ..]) = (&view.rows, view.squeeze(&stored.shape))
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

    /// Loads the weight `name`, which must have exactly this `shape`, as f32 in row-major order.
    /// Marks it as used.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`], [`Error::Mismatch`] for a type that is
    /// not a float or a wrong checksum.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.load(name, shape)?;
        let wide = values.to_f32();
        values.release();
        Ok(wide)
    }

    /// Checks that the weight `name`, if it exists, is tied to `table`: that it has the same
    /// values. Marks it as used.
    ///
    /// # Errors
    /// Those of [`values`](Self::values), and [`Error::Mismatch`] for other values.
    pub(crate) fn check_tied(&self, name: &str, shape: &[usize], table: &Values) -> Result<()> {
        if !self.contains(name) || self.load(name, shape)?.bit_eq(table) {
            return Ok(());
        }
        let found = format!("other values in {name}");
        Err(Error::mismatch(&self.path, "tied weights", "the embedding's values", found))
    }

    /// Ends loading: every weight must have been loaded, or satisfy `ignored`.
    ///
    /// # Errors
    /// [`WeightsError::Surplus`] with the names of all other weights.
    pub fn finish(self, ignored: impl Fn(&str) -> bool) -> Result<()> {
        self.surplus(self.unused.borrow().iter().filter(|name| !ignored(name)))
    }

    /// Returns the stored weight `name` and its file.
    fn find(&self, name: &str) -> Result<(&Shard, &StoredTensor)> {
        let shard = self.shard_of.get(name).and_then(|&number| self.shards.get(number));
        shard.and_then(|shard| Some((shard, shard.get(name)?))).ok_or_else(|| {
            Error::Weights(WeightsError::Missing { path: self.path.clone(), name: name.to_owned() })
        })
    }

    fn check_shape(&self, name: &str, expected: &[usize]) -> Result<()> {
        let found = self.shape(name).ok_or_else(|| {
            Error::Weights(WeightsError::Missing { path: self.path.clone(), name: name.to_owned() })
        })?;
        if found == expected {
            return Ok(());
        }
        Err(Error::Weights(WeightsError::Shape {
            path: self.path.clone(),
            name: name.to_owned(),
            expected: expected.to_vec(),
            found: found.to_vec(),
        }))
    }

    fn surplus<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::Weights(WeightsError::Surplus { path: self.path.clone(), names }))
    }
}
