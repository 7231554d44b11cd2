//! Stage one by kernels of this library's own, on CUDA.
//!
//! `kernels.cu` fuses the product with the choice of the best, so that no matrix of
//! scores is written and read again. Up to [`FEW`] queries are scored truly, as
//! [`dot`](super::super::dot) defines it, while the rows stream through; more go
//! through the tensor cores as f16, and what they bring back is scored truly on the
//! device where the rows are resident.
//!
//! # The bound
//! A query `q` rounded to f16 is `h`; products of f16 are exact in f32, and the tensor
//! cores add them up in an order of their own, where an addition may cut off what a
//! rounded one keeps. So a score is off by at most
//!
//! ```text
//! |q - h| |x|  +  (dim + 8) 2^-21 |q| |x|
//! ```
//!
//! with the longest row for `x`: the first by Cauchy and Schwarz, the second eight
//! times what rounded additions lose.
//!
//! None of this has run on a GPU yet: docs/GPU.md says what was checked without one.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::cuda_backend::cudarc::driver::sys::{
    CUdevice_attribute as Attribute, CUfunction_attribute as FunctionAttribute,
};
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, CudaView, LaunchConfig, PinnedHostSlice,
    PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Device, Result, Storage};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::super::Rows;
use super::proof::{Found, Others};
use super::tensors::Tensors;

/// Rows that a query brings back, as the kernels have it.
pub(super) const LIST: usize = 32;

/// Queries that are scored truly: SCAN_QUERIES of the kernels.
const FEW: usize = 8;

/// Sizes of the kernels, as their source has them.
const SCAN_WARPS: u32 = 4;
const TILE_QUERIES: usize = 64;
const TILE_ROWS: usize = 128;
const TILE_WARPS: u32 = 8;
const STEP: usize = 32;
const PAD: usize = 8;
const MERGE_WARPS: u32 = 8;
/// A list in shared memory, with what waits to get in.
const LIST_BYTES: usize = 2 * LIST * 8;

/// Bytes of rows in a piece that streams by.
const STREAMED: usize = 64 << 20;

const SOURCE: &str = include_str!("kernels.cu");

/// The kernels on one device, for rows of one width.
#[derive(Debug)]
pub(super) struct Fused {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    /// For copies beside what is computed.
    copies: Arc<CudaStream>,
    dim: usize,
    processors: usize,
    scan: CudaFunction,
    tile: CudaFunction,
    merge: CudaFunction,
    rescore: CudaFunction,
    longest: CudaFunction,
    /// Bits of the greatest square of a resident row's length.
    resident_longest: OnceLock<u32>,
}

impl Fused {
    /// Compiles the kernels for `device`, once in a process for each generation of
    /// GPUs. `None` where they do not run: on another kind of device, for rows that
    /// are no multiple of 16 bytes, or so wide that a tile of queries does not fit
    /// the shared memory of a block.
    pub(super) fn new(device: &Device, dim: usize, _: &Tensors) -> Result<Option<Self>> {
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
        let ptx = ptx(context)?;
        let function = |name, shared: usize| -> Result<CudaFunction> {
            let module = "interrogate-rank";
            let function = device.get_or_load_custom_func(name, module, &ptx)?.into_cuda_function();
            let dynamic = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(dynamic, shared as i32).w()?;
            Ok(function)
        };
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

    /// The [`LIST`] best rows of each of `queries`, at least one; the resident ones
    /// are `tensors`'.
    pub(super) fn best(
        &self,
        rows: &Rows<'_>,
        queries: &[Vec<f32>],
        tensors: &Tensors,
    ) -> Result<Vec<Found>> {
        let asked = Asked::new(self, queries)?;
        let piece = (STREAMED / (2 * self.dim)).max(TILE_ROWS);
        let streamed: Vec<usize> = (tensors.resident()..rows.len()).step_by(piece).collect();
        let plan = |count: usize| self.blocks(count, asked.count);
        let pieces = streamed.iter().map(|&first| piece.min(rows.len() - first));
        let counts: Vec<usize> = std::iter::once(tensors.resident()).chain(pieces).collect();
        let lists: usize = counts.iter().map(|&count| plan(count).0).sum();
        let mut keys = self.stream.alloc_zeros::<u64>(asked.count * lists.max(1) * LIST).w()?;
        let mut longest = self.stream.alloc_zeros::<u32>(1).w()?;
        let storage = tensors.values().map(|values| values.storage_and_layout().0);
        let values = match storage.as_deref() {
            Some(Storage::Cuda(storage)) => Some(storage.as_cuda_slice::<f16>()?),
            _ => None,
        };
        let mut list = 0;
        if let Some(values) = values {
            self.stage_one(&asked, &values.slice(..), 0, &mut keys, lists, list)?;
            list += plan(tensors.resident()).0;
        }
        self.stream_by(rows, &streamed, &counts[1..], |first, piece| {
            self.stage_one(&asked, piece, first, &mut keys, lists, list)?;
            list += plan(piece.len() / self.dim).0;
            if asked.halves.is_some() { self.measure(piece, &mut longest) } else { Ok(()) }
        })?;
        let mut merged = self.stream.alloc_zeros::<u64>(asked.count * LIST).w()?;
        self.merge(&keys, lists, asked.count, &mut merged)?;
        let near = self.stream.clone_dtoh(&merged).w()?;
        if asked.halves.is_none() {
            return Ok(near.chunks(LIST).map(|keys| found(keys, None, None)).collect());
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
        // Squares are positive: their bits order as they do.
        let longest = self.stream.clone_dtoh(&longest).w()?[0].max(resident);
        let longest = f64::from(f32::from_bits(longest)).sqrt() * (1.0 + 1e-4);
        let exact = match values {
            Some(values) if streamed.is_empty() => Some(self.rescored(&asked, values, &merged)?),
            _ => None,
        };
        let found = |(number, near): (usize, &[u64])| {
            let others = Others {
                most: near.last().map_or(f32::NAN, |&key| score_of(key)),
                error: (bound(&queries[number]) * longest) as f32,
            };
            let exact = exact.as_ref().map(|all| &all[number * LIST..][..LIST]);
            found(near, exact, Some(others))
        };
        Ok(near.chunks(LIST).enumerate().map(found).collect())
    }

    /// Blocks along `count` rows, and rows of each.
    fn blocks(&self, count: usize, queries: usize) -> (usize, usize) {
        if count == 0 {
            return (0, TILE_ROWS);
        }
        let (groups, each) = match queries <= FEW {
            true => (1, 8 * self.processors),
            false => (queries.div_ceil(TILE_QUERIES), 2 * self.processors),
        };
        let wanted = (each / groups).max(1);
        let strip = count.div_ceil(wanted).next_multiple_of(TILE_ROWS);
        (count.div_ceil(strip), strip)
    }

    /// The best of a piece, whose first row has the number `first`, as lists from
    /// number `list` on.
    fn stage_one(
        &self,
        asked: &Asked,
        piece: &CudaView<'_, f16>,
        first: usize,
        keys: &mut CudaSlice<u64>,
        lists: usize,
        list: usize,
    ) -> Result<()> {
        let count = piece.len() / self.dim;
        let (blocks, strip) = self.blocks(count, asked.count);
        if blocks == 0 {
            return Ok(());
        }
        let (n, first, dim) = (count as u32, first as u32, self.dim as u32);
        let (queries, strip) = (asked.count as u32, strip as u32);
        let (lists, list) = (lists as u32, list as u32);
        let (function, config) = match &asked.halves {
            None => (
                &self.scan,
                LaunchConfig {
                    grid_dim: (blocks as u32, 1, 1),
                    block_dim: (32 * SCAN_WARPS, 1, 1),
                    shared_mem_bytes: scan_bytes(self.dim, asked.count) as u32,
                },
            ),
            Some(_) => (
                &self.tile,
                LaunchConfig {
                    grid_dim: (blocks as u32, asked.count.div_ceil(TILE_QUERIES) as u32, 1),
                    block_dim: (32 * TILE_WARPS, 1, 1),
                    shared_mem_bytes: tile_bytes(self.dim) as u32,
                },
            ),
        };
        let mut launch = self.stream.launch_builder(function);
        launch.arg(piece).arg(&n).arg(&first).arg(&dim);
        match &asked.halves {
            None => launch.arg(&asked.values),
            Some(halves) => launch.arg(halves),
        };
        launch.arg(&queries).arg(&strip).arg(keys).arg(&lists).arg(&list);
        // SAFETY: the arguments are those of `scan` and of `tile`, in their order and
        // of their types. `piece` has n rows of dim values, and its memory is aligned
        // to 16 bytes as each row is, dim being a multiple of 8; the queries are
        // (queries, dim); `keys` holds `lists` lists for each, of which this call
        // writes `blocks` from `list` on. The shared memory is what the kernel lays
        // out, and was granted when it was loaded.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    fn merge(
        &self,
        keys: &CudaSlice<u64>,
        lists: usize,
        queries: usize,
        merged: &mut CudaSlice<u64>,
    ) -> Result<()> {
        let lists = lists as u32;
        let config = LaunchConfig {
            grid_dim: (queries as u32, 1, 1),
            block_dim: (32 * MERGE_WARPS, 1, 1),
            shared_mem_bytes: MERGE_WARPS * LIST_BYTES as u32,
        };
        let mut launch = self.stream.launch_builder(&self.merge);
        launch.arg(keys).arg(&lists).arg(merged);
        // SAFETY: `merge`'s arguments; keys are (queries, lists, LIST) and merged
        // (queries, LIST), for a block a query.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    /// Keys of true scores of the rows that `merged` names, sorted, on the host.
    fn rescored(
        &self,
        asked: &Asked,
        values: &CudaSlice<f16>,
        merged: &CudaSlice<u64>,
    ) -> Result<Vec<u64>> {
        let dim = self.dim as u32;
        let mut ranked = self.stream.alloc_zeros::<u64>(asked.count * LIST).w()?;
        let config = LaunchConfig {
            grid_dim: (asked.count as u32, 1, 1),
            block_dim: (2 * LIST as u32, 1, 1),
            shared_mem_bytes: (LIST_BYTES + 4 * self.dim) as u32,
        };
        let mut launch = self.stream.launch_builder(&self.rescore);
        launch.arg(values).arg(&dim).arg(&asked.values).arg(merged).arg(&mut ranked);
        // SAFETY: `rescore`'s arguments; the keys in `merged` name rows of `values`,
        // as all rows are resident, and a table that is has at least one, which an
        // empty key stands for.
        unsafe { launch.launch(config) }.w()?;
        self.stream.clone_dtoh(&ranked).w()
    }

    /// Raises `longest` to the greatest square of a length in `piece`.
    fn measure(&self, piece: &CudaView<'_, f16>, longest: &mut CudaSlice<u32>) -> Result<()> {
        let (n, dim) = ((piece.len() / self.dim) as u32, self.dim as u32);
        let config = LaunchConfig {
            grid_dim: (n.div_ceil(8).clamp(1, 8 * self.processors as u32), 1, 1),
            block_dim: (256, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.stream.launch_builder(&self.longest);
        launch.arg(piece).arg(&n).arg(&dim).arg(longest);
        // SAFETY: `longest`'s arguments; `piece` has n rows of dim values.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    /// Calls `take` with the rows from each of `firsts` on, so many as `counts` says,
    /// copied to the device. While one piece is computed the next is read from the
    /// map into page-locked memory and copied: two buffers on either side. The waits
    /// between the two streams are by events that cudarc keeps with each buffer.
    fn stream_by(
        &self,
        rows: &Rows<'_>,
        firsts: &[usize],
        counts: &[usize],
        mut take: impl FnMut(usize, &CudaView<'_, f16>) -> Result<()>,
    ) -> Result<()> {
        let most = counts.iter().copied().max().unwrap_or(0) * self.dim;
        if most == 0 {
            return Ok(());
        }
        let mut buffers: Vec<(PinnedHostSlice<f16>, CudaSlice<f16>)> = Vec::new();
        for _ in 0..firsts.len().min(2) {
            // SAFETY: each is written before it is read, piece by piece below.
            let pair = unsafe {
                (self.stream.context().alloc_pinned(most).w()?, self.copies.alloc(most).w()?)
            };
            buffers.push(pair);
        }
        for (turn, (&first, &count)) in firsts.iter().zip(counts).enumerate() {
            let at = turn % buffers.len();
            let (host, device) = &mut buffers[at];
            // Waits until the copy before the last has left this buffer.
            let mut to = &mut host.as_mut_slice().w()?[..];
            for (_, values) in rows.spans(first..first + count) {
                let (part, rest) = to.split_at_mut(values.len());
                part.par_chunks_mut(1 << 20)
                    .zip(values.par_chunks(1 << 20))
                    .for_each(|(to, from)| to.copy_from_slice(from));
                to = rest;
            }
            self.copies.memcpy_htod(host, device).w()?;
            take(first, &device.slice(..count * self.dim))?;
        }
        // The buffers must not go before what reads them.
        self.stream.synchronize().w()
    }
}

/// Queries on the device.
struct Asked {
    count: usize,
    /// (count, dim)
    values: CudaSlice<f32>,
    /// The same in f16, where the tensor cores take them.
    halves: Option<CudaSlice<f16>>,
}

impl Asked {
    fn new(fused: &Fused, queries: &[Vec<f32>]) -> Result<Self> {
        let values = queries.concat();
        let halves = (queries.len() > FEW).then(|| {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(&values);
            fused.device.clone_htod(&halves)
        });
        Ok(Asked {
            count: queries.len(),
            values: fused.device.clone_htod(&values)?,
            halves: halves.transpose()?,
        })
    }
}

/// The rows that keys name, with the true scores of `exact`, if they are those.
fn found(keys: &[u64], exact: Option<&[u64]>, others: Option<Others>) -> Found {
    let keys = exact.unwrap_or(keys).iter().copied().filter(|&key| key != 0);
    let (rows, scores): (Vec<u32>, Vec<f32>) =
        keys.map(|key| (u32::MAX - key as u32, score_of(key))).unzip();
    // Without a rescoring true scores come with keys that leave no others.
    let scores = (exact.is_some() || others.is_none()).then_some(scores);
    Found { rows, scores, others }
}

/// The score that a key was made of; the greatest and the least of all stand for what
/// is no number.
fn score_of(key: u64) -> f32 {
    match (key >> 32) as u32 {
        0 | u32::MAX => f32::NAN,
        ordered if ordered >> 31 == 1 => f32::from_bits(ordered ^ 1 << 31),
        ordered => f32::from_bits(!ordered),
    }
}

/// How far the tensor cores may be off for a row of length 1.
fn bound(query: &[f32]) -> f64 {
    let square = |sum, value: f64| sum + value * value;
    let length = query.iter().map(|&v| f64::from(v)).fold(0.0, square).sqrt();
    let lost = query.iter().map(|&v| f64::from(v) - f64::from(f16::from_f32(v)));
    lost.fold(0.0, square).sqrt() + (query.len() + 8) as f64 * 2f64.powi(-21) * length
}

/// Shared memory of a block of `scan`.
fn scan_bytes(dim: usize, queries: usize) -> usize {
    SCAN_WARPS as usize * queries * LIST_BYTES + 4 * queries * dim
}

/// Shared memory of a block of `tile`.
fn tile_bytes(dim: usize) -> usize {
    let stages = 2 * TILE_ROWS * (STEP + PAD) * 2;
    TILE_QUERIES * (LIST_BYTES + 4) + stages + TILE_QUERIES * (dim.next_multiple_of(STEP) + PAD) * 2
}

/// The kernels, compiled for the device's generation.
fn ptx(context: &CudaContext) -> Result<String> {
    static COMPILED: Mutex<Vec<((i32, i32), String)>> = Mutex::new(Vec::new());
    let generation = context.compute_capability().w()?;
    // A poisoned list holds whole entries all the same.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, ptx)) = compiled.iter().find(|(known, _)| *known == generation) {
        return Ok(ptx.clone());
    }
    let ptx = compile(generation)?;
    compiled.push((generation, ptx.clone()));
    Ok(ptx)
}

fn compile((major, minor): (i32, i32)) -> Result<String> {
    let options = CompileOptions {
        options: vec![format!("--gpu-architecture=compute_{major}{minor}")],
        name: Some("kernels.cu".to_owned()),
        ..CompileOptions::default()
    };
    Ok(compile_ptx_with_opts(SOURCE, options).w()?.to_src())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU: the source compiles for those that it is written for.
    #[test]
    fn the_kernels_compile() {
        for generation in [(8, 0), (9, 0)] {
            let ptx = compile(generation).unwrap();
            for name in ["scan", "tile", "merge", "rescore", "longest"] {
                assert!(ptx.contains(&format!(".entry {name}(")), "{name} for {generation:?}");
            }
            assert!(ptx.contains("mma.sync.aligned.m16n8k16"));
        }
    }

    #[test]
    fn sizes_are_the_sources() {
        for line in [
            format!("#define LIST {LIST} "),
            format!("#define SCAN_QUERIES {FEW}\n"),
            format!("#define SCAN_WARPS {SCAN_WARPS}\n"),
            format!("#define TILE_QUERIES {TILE_QUERIES}\n"),
            format!("#define TILE_ROWS {TILE_ROWS}\n"),
            format!("#define TILE_WARPS {TILE_WARPS} "),
            format!("#define STEP {STEP} "),
            format!("#define PAD {PAD} "),
            format!("#define MERGE_WARPS {MERGE_WARPS}\n"),
        ] {
            assert!(SOURCE.contains(&line), "{line}");
        }
    }

    #[test]
    fn scores_come_back_from_keys() {
        for score in [0.25f32, -0.5, 0.0, f32::INFINITY, f32::NEG_INFINITY] {
            let bits = score.to_bits();
            let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            assert_eq!(score_of(u64::from(ordered) << 32), score);
        }
        assert!(score_of(7).is_nan() && score_of(u64::MAX).is_nan());
    }
}
