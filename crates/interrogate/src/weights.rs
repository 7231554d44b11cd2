//! Named weights of a safetensors file, handed out strictly.
//!
//! A model takes each weight by the checkpoint's own name with the shape that
//! its configuration asks for, and then says it is finished: a weight that is
//! missing, misshapen or left over is an error that names it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Metadata, TensorView};

use crate::mmap::Mmap;
use crate::{Error, Result};

/// The weights of one checkpoint file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    bytes: Bytes,
    /// Where the tensors begin in `bytes`.
    start: usize,
    metadata: Metadata,
    left: RefCell<BTreeSet<String>>,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    #[allow(dead_code, reason = "the starter's, behind its feature")]
    Embedded(&'static [u8]),
}

impl Weights {
    /// Maps the safetensors file at `path` and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be mapped, [`Error::Mismatch`] where
    /// it is no whole safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.to_owned(), Bytes::Mapped(Mmap::open(path)?))
    }

    /// The same over bytes that are compiled in; `name` stands for the path in
    /// errors.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where they are no whole safetensors file.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(PathBuf::from(name), Bytes::Embedded(bytes))
    }

    fn new(path: PathBuf, bytes: Bytes) -> Result<Self> {
        // read_metadata checks that the offsets are contiguous and end at the
        // last byte, so that slices below cannot miss.
        let (header, metadata) = SafeTensors::read_metadata(bytes.as_ref())
            .map_err(|e| Error::mismatch(&path, "safetensors", "a whole file", e))?;
        let left = RefCell::new(metadata.tensors().into_keys().collect());
        Ok(Weights { path, bytes, start: header + 8, metadata, left })
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has a weight of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The shape of a weight, or `None` where the file has none of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// The weight `name` of exactly `shape`, as f32 on the CPU.
    ///
    /// # Errors
    /// [`Error::WeightMissing`], [`Error::WeightShape`], and [`Error::Engine`]
    /// for a type that the engine cannot read.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let missing = || Error::WeightMissing { path: self.path.clone(), name: name.to_owned() };
        let info = self.metadata.info(name).ok_or_else(missing)?;
        if info.shape != shape {
            return Err(Error::WeightShape {
                path: self.path.clone(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: info.shape.clone(),
            });
        }
        let (from, to) = info.data_offsets;
        let data =
            self.bytes.as_ref().get(self.start + from..self.start + to).ok_or_else(missing)?;
        let view = TensorView::new(info.dtype, info.shape.clone(), data)
            .map_err(|e| Error::mismatch(&self.path, "safetensors", "a readable tensor", e))?;
        let tensor = candle_core::safetensors::Load::load(&view, &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32))
            .map_err(Error::engine("read a weight"))?;
        self.left.borrow_mut().remove(name);
        Ok(tensor)
    }

    /// Says that no further weight will be taken. `known` tells the extras that
    /// such checkpoints carry and nobody needs.
    ///
    /// # Errors
    /// [`Error::WeightSurplus`] names those that were neither taken nor known.
    pub fn finish(self, known: impl Fn(&str) -> bool) -> Result<()> {
        let names: Vec<String> =
            self.left.into_inner().into_iter().filter(|name| !known(name)).collect();
        if names.is_empty() { Ok(()) } else { Err(Error::WeightSurplus { path: self.path, names }) }
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
