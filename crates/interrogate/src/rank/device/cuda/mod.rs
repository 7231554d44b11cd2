//! Rankings by this library's kernels, on CUDA.
//!
//! # Coarse scores
//! Rows and queries are multiplied in f16 with sums in f32, rounded to f16. Up to 64 queries are
//! multiplied by a kernel that is bound by the reading of the rows, more by cuBLAS, in pieces
//! whose scores stay in the second-level cache ([`super::plan`]). The kernel `select_rows` reads
//! them once and keeps a list for each query; `rescore` computes the true scores of the rows in
//! the lists, as [`dot`](super::super::dot) defines them, sorts them, and compares the `k`-th
//! with a bound for all other rows. The host gets `k` rows per query and whether they are
//! decided. If rows are streamed, it gets the lists and the bound, and rescores.
//!
//! # The error bound
//! A query `q` rounded to f16 is `h`. Products of f16 are exact in f32, and the tensor cores sum
//! them in an order of their own, where an addition may truncate instead of rounding. So a sum
//! is off by at most
//!
//! ```text
//! |q - h| |x|  +  (dim + 8) 2^-21 |q| |x|
//! ```
//!
//! with the longest row for `x`: the first term by Cauchy and Schwarz, the second eight times
//! the error of rounded additions. The sum is rounded to f16, in any direction. All rows that
//! are not rescored have an f16 of at most some value, so their sums are less than the f16 after
//! it. A library must not round partial sums to f16: the handle's math mode forbids it.
//!
//! # Memory
//! A [`Workspace`] is kept between calls: for `k` = 3 and dim 512, 32 MiB of scores and, for
//! each 2,048 queries, 7.5 MiB on the device and 4 MiB of page-locked memory; 128 MiB on either
//! side if rows are streamed. A workspace of more than 512 MiB is freed after the call.
//!
//! None of this has run on a GPU yet: docs/GPU.md says what was checked without one.

mod launch;
mod pieces;
mod products;
mod source;
mod workspace;

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaSlice, CudaStream, CudaView};
use candle_core::{Device, Result, Storage};
use half::f16;
use rayon::prelude::*;

use super::super::Rows;
use super::plan::{BATCH, Limits, Plan};
use super::tensors::Tensors;
use super::{Found, Kernels, Search, keys};
use crate::encoder::Features;
use crate::nn::even;
use launch::Greatest;
use products::Products;
pub(super) use source::source;
use workspace::{Slot, Workspace};

/// Bytes of a streamed piece.
const STREAMED: usize = 64 << 20;

/// The kernels on one device, for rows of one dim.
#[derive(Debug)]
pub(super) struct Fused {
    stream: Arc<CudaStream>,
    /// A second stream, for copies during computation.
    copies: Arc<CudaStream>,
    dim: usize,
    limits: Limits,
    products: Products,
    round_queries: CudaFunction,
    select_rows: CudaFunction,
    rescore: CudaFunction,
    longest: CudaFunction,
    /// The bits of the greatest squared length of a resident row.
    resident_longest: OnceLock<CudaSlice<u32>>,
    workspace: Mutex<Workspace>,
}

impl Fused {
    /// Compiles the kernels for `device`, once per process and GPU generation. Returns `None` if
    /// they do not run there: on another kind of device, or for rows that are not a multiple of
    /// 16 bytes.
    pub(super) fn new(device: &Device, dim: usize) -> Result<Option<Self>> {
        let Device::Cuda(device) = device else { return Ok(None) };
        let stream = device.cuda_stream();
        let context = stream.context();
        let attribute = |which| Ok::<_, candle_core::Error>(context.attribute(which).w()? as usize);
        let shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let limits = Limits { processors, shared };
        if dim == 0 || !dim.is_multiple_of(8) || Plan::new(1, 1, dim, 1, limits).is_none() {
            return Ok(None);
        }
        let source = source();
        let function = |name| crate::cuda::function(device, &source, name, shared);
        Ok(Some(Fused {
            copies: context.new_stream().w()?,
            dim,
            limits,
            products: Products::new(device, &source, dim, limits)?,
            round_queries: function("round_queries")?,
            select_rows: function("select_rows")?,
            rescore: function("rescore")?,
            longest: function("longest")?,
            resident_longest: OnceLock::new(),
            workspace: Mutex::default(),
            stream,
        }))
    }

    fn plan(&self, queries: usize, rows: usize, requested: usize) -> Option<Plan> {
        // Batches are of even size.
        let batch = queries.div_ceil(queries.div_ceil(BATCH).max(1));
        Plan::new(batch, rows, self.dim, requested, self.limits)
    }

    /// Queues all work of a ranking and waits for its results.
    fn ranked(
        &self,
        workspace: &mut Workspace,
        rows: &Rows<'_>,
        queries: &[&Features],
        search: Search,
        tensors: &Tensors,
    ) -> Result<Vec<Found>> {
        let Some(plan) = self.plan(queries.len(), rows.len(), search.requested) else {
            candle_core::bail!("lists of {} rows exceed the shared memory", search.requested);
        };
        let storage = tensors.values().map(|values| values.storage_and_layout().0);
        let values = match storage.as_deref() {
            Some(Storage::Cuda(storage)) => Some(storage.as_cuda_slice::<f16>()?),
            _ => None,
        };
        let resident = tensors.resident();
        // The device rescores if it has all rows; otherwise the host does, from lists.
        let on_device = values.filter(|_| resident == rows.len());
        let record = 1 + if on_device.is_some() { search.k } else { plan.width };
        let batches: Vec<Range<usize>> = even(queries.len(), BATCH).collect();
        let longest = values.map(|values| self.longest_of(values, resident)).transpose()?;
        workspace.reserve(self, &plan, &batches, record)?;
        if batches.len() > 1 {
            // Copies wait for the allocations.
            self.copies.join(&self.stream).w()?;
        }
        let Workspace { scores, longest: streamed_longest, slots, pairs } = &mut *workspace;
        let scores = scores.get()?;

        for (slot, batch) in slots.iter_mut().zip(&batches) {
            let alone = batches.len() == 1;
            self.load(slot, &queries[batch.clone()], &plan, search.order.sign(), alone)?;
            if let Some(values) = values {
                self.scan(slot, &values.slice(..resident * self.dim), 0, scores, &plan)?;
            }
            if let (Some(values), Some(longest)) = (on_device, longest) {
                self.finish(slot, Some(values), longest, &plan, search.k)?;
            }
        }
        if on_device.is_none() {
            let greatest = streamed_longest.get()?;
            match longest {
                Some(resident) => self.stream.memcpy_dtod(resident, greatest).w()?,
                None => self.stream.memset_zeros(greatest).w()?,
            }
            let piece = (STREAMED / (2 * self.dim)).max(1);
            let firsts: Vec<usize> = (resident..rows.len()).step_by(piece).collect();
            self.stream_pieces(pairs, rows, &firsts, piece, |first, piece| {
                for slot in slots.iter_mut().take(batches.len()) {
                    self.scan(slot, piece, first, scores, &plan)?;
                }
                self.measure(piece, greatest)
            })?;
            for slot in slots.iter_mut().take(batches.len()) {
                self.finish(slot, None, greatest, &plan, search.k)?;
            }
        }
        let mut found = Vec::with_capacity(queries.len());
        for slot in slots.iter_mut().take(batches.len()) {
            let records = slot.results(record)?;
            let decode = |record: &[u64]| match on_device {
                Some(_) => keys::ranking(record, search.order),
                None => keys::candidates(record),
            };
            found.par_extend(records.par_chunks(record).with_min_len(256).map(decode));
        }
        Ok(found)
    }

    /// Adds the rows of `piece`, numbered from `first`, to the lists of a batch.
    fn scan(
        &self,
        slot: &mut Slot,
        piece: &CudaView<'_, f16>,
        first: usize,
        scores: &mut CudaSlice<f16>,
        plan: &Plan,
    ) -> Result<()> {
        let count = piece.len() / self.dim;
        for start in (0..count).step_by(plan.piece) {
            let end = count.min(start + plan.piece);
            let part = piece.slice(start * self.dim..end * self.dim);
            self.products.multiply(&part, slot, scores, plan.piece)?;
            self.select(scores, slot, first + start, end - start, plan)?;
        }
        Ok(())
    }

    /// The greatest squared length of a resident row, computed once.
    fn longest_of(&self, values: &CudaSlice<f16>, resident: usize) -> Result<&Greatest> {
        if let Some(known) = self.resident_longest.get() {
            return Ok(known);
        }
        let mut longest = self.stream.alloc_zeros::<u32>(1).w()?;
        self.measure(&values.slice(..resident * self.dim), &mut longest)?;
        Ok(self.resident_longest.get_or_init(|| longest))
    }
}

impl Kernels for Fused {
    fn takes(&self, requested: usize) -> bool {
        self.plan(1, usize::MAX / 2, requested).is_some()
    }

    fn top_k(
        &self,
        rows: &Rows<'_>,
        queries: &[&Features],
        search: Search,
        tensors: &Tensors,
    ) -> Result<Vec<Found>> {
        // Ignore lock poisoning: buffers are written before they are read.
        let mut workspace = self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.ranked(&mut workspace, rows, queries, search, tensors);
        if found.is_err() || workspace.bytes() > workspace::MAX_KEPT {
            // Work that was queued before an error may still use the buffers.
            let idle = self.copies.synchronize().and(self.stream.synchronize());
            *workspace = Workspace::default();
            idle.w()?;
        }
        found
    }
}
