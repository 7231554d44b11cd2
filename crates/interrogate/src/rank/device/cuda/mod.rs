//! The coarse scan by this library's kernels, on CUDA.
//!
//! `kernels.cu` fuses the product with the selection of the best rows, so that no matrix of
//! scores is written and read again. Up to [`FEW`] queries are scored exactly, as
//! [`dot`](super::super::dot) defines it, while the rows stream through. More queries run on the
//! tensor cores in f16; the rows that they return are rescored on the device if all rows are
//! resident.
//!
//! # The error bound
//! A query `q` rounded to f16 is `h`. Products of f16 are exact in f32, and the tensor cores sum
//! them in an order of their own, where an addition may truncate instead of rounding. So a score
//! is off by at most
//!
//! ```text
//! |q - h| |x|  +  (dim + 8) 2^-21 |q| |x|
//! ```
//!
//! with the longest row for `x`: the first term by Cauchy and Schwarz, the second eight times
//! the error of rounded additions.
//!
//! None of this has run on a GPU yet: docs/GPU.md says what was checked without one.

mod launch;
mod pieces;
mod source;

use std::sync::{Arc, OnceLock};

use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaSlice, CudaStream};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Device, Result, Storage};
use half::f16;
use half::slice::HalfFloatSliceExt;

use super::super::Rows;
use super::keys::{bound, decode, score_of};
use super::rescore::{CoarseTop, RestBound};
use super::tensors::Tensors;
use super::{FEW, Kernels, LIST};
use launch::{MERGE_WARPS, TILE_ROWS, scan_bytes, tile_bytes};

/// Bytes of a list in shared memory, with its queue.
const LIST_BYTES: usize = 2 * LIST * 8;

/// Bytes of a streamed piece.
const STREAMED: usize = 64 << 20;

/// The kernels on one device, for rows of one dim.
#[derive(Debug)]
pub(super) struct Fused {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    /// A second stream, for copies during computation.
    copies: Arc<CudaStream>,
    dim: usize,
    processors: usize,
    scan: CudaFunction,
    tile: CudaFunction,
    merge: CudaFunction,
    rescore: CudaFunction,
    longest: CudaFunction,
    /// The bits of the greatest squared length of a resident row.
    resident_longest: OnceLock<u32>,
}

impl Fused {
    /// Compiles the kernels for `device`, once per process and GPU generation. Returns `None` if
    /// they do not run there: on another kind of device, for rows that are not a multiple of 16
    /// bytes, or so long that a tile of queries exceeds the shared memory of a block.
    pub(super) fn new(device: &Device, dim: usize) -> Result<Option<Self>> {
        let Device::Cuda(device) = device else { return Ok(None) };
        let stream = device.cuda_stream();
        let context = stream.context();
        let attribute = |which| context.attribute(which).w();
        let most =
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)? as usize;
        let (tile_bytes, scan_bytes) = (tile_bytes(dim), scan_bytes(dim, FEW));
        if dim == 0 || !dim.is_multiple_of(8) || tile_bytes.max(scan_bytes) > most {
            return Ok(None);
        }
        let source = source::source();
        let function = |name, shared| crate::cuda::function(device, &source, name, shared);
        Ok(Some(Fused {
            copies: context.new_stream().w()?,
            processors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize,
            scan: function("scan", scan_bytes)?,
            tile: function("tile", tile_bytes)?,
            merge: function("merge", MERGE_WARPS as usize * LIST_BYTES)?,
            rescore: function("rescore", LIST_BYTES + 4 * dim)?,
            longest: function("longest", 0)?,
            device: device.clone(),
            stream,
            dim,
            resident_longest: OnceLock::new(),
        }))
    }
}

impl Kernels for Fused {
    fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        tensors: &Tensors,
    ) -> Result<Vec<CoarseTop>> {
        let batch = DeviceQueries::new(self, queries)?;
        let piece = (STREAMED / (2 * self.dim)).max(TILE_ROWS);
        let streamed: Vec<usize> = (tensors.resident()..rows.len()).step_by(piece).collect();
        let plan = |count: usize| self.blocks(count, batch.count);
        let pieces = streamed.iter().map(|&first| piece.min(rows.len() - first));
        let counts: Vec<usize> = std::iter::once(tensors.resident()).chain(pieces).collect();
        let lists: usize = counts.iter().map(|&count| plan(count).0).sum();
        let mut keys = self.stream.alloc_zeros::<u64>(batch.count * lists.max(1) * LIST).w()?;
        let mut longest = self.stream.alloc_zeros::<u32>(1).w()?;
        let storage = tensors.values().map(|values| values.storage_and_layout().0);
        let values = match storage.as_deref() {
            Some(Storage::Cuda(storage)) => Some(storage.as_cuda_slice::<f16>()?),
            _ => None,
        };
        let mut list = 0;
        if let Some(values) = values {
            self.coarse_scan(&batch, &values.slice(..), 0, &mut keys, lists, list)?;
            list += plan(tensors.resident()).0;
        }
        self.stream_pieces(rows, &streamed, &counts[1..], |first, piece| {
            self.coarse_scan(&batch, piece, first, &mut keys, lists, list)?;
            list += plan(piece.len() / self.dim).0;
            if batch.halves.is_some() { self.measure(piece, &mut longest) } else { Ok(()) }
        })?;
        let mut merged = self.stream.alloc_zeros::<u64>(batch.count * LIST).w()?;
        self.merge(&keys, lists, batch.count, &mut merged)?;
        let coarse = self.stream.clone_dtoh(&merged).w()?;
        if batch.halves.is_none() {
            return Ok(coarse.chunks(LIST).map(|keys| decode(keys, None, None)).collect());
        }
        let resident = match (values, self.resident_longest.get()) {
            (None, _) => 0,
            (_, Some(&known)) => known,
            (Some(values), None) => {
                let mut longest = self.stream.alloc_zeros::<u32>(1).w()?;
                self.measure(&values.slice(..), &mut longest)?;
                let bits = self.stream.clone_dtoh(&longest).w()?[0];
                *self.resident_longest.get_or_init(|| bits)
            }
        };
        // Squares are positive, so their bits order as their values.
        let longest = self.stream.clone_dtoh(&longest).w()?[0].max(resident);
        let longest = f64::from(f32::from_bits(longest)).sqrt() * (1.0 + 1e-4);
        let exact = match values {
            Some(values) if streamed.is_empty() => {
                Some(self.rescore_lists(&batch, values, &merged)?)
            }
            _ => None,
        };
        let top = |(number, keys): (usize, &[u64])| {
            let rest = RestBound {
                max_score: keys.last().map_or(f32::NAN, |&key| score_of(key)),
                error: (bound(&queries[number]) * longest) as f32,
            };
            let exact = exact.as_ref().map(|all| &all[number * LIST..][..LIST]);
            decode(keys, exact, Some(rest))
        };
        Ok(coarse.chunks(LIST).enumerate().map(top).collect())
    }
}

/// A batch of queries on the device.
struct DeviceQueries {
    count: usize,
    /// (count, dim)
    values: CudaSlice<f32>,
    /// The same in f16, if the tensor cores score them.
    halves: Option<CudaSlice<f16>>,
}

impl DeviceQueries {
    fn new(fused: &Fused, queries: &[Vec<f32>]) -> Result<Self> {
        let values = queries.concat();
        let halves = (queries.len() > FEW).then(|| {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(&values);
            fused.device.clone_htod(&halves)
        });
        Ok(DeviceQueries {
            count: queries.len(),
            values: fused.device.clone_htod(&values)?,
            halves: halves.transpose()?,
        })
    }
}
