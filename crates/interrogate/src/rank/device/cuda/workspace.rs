//! Buffers of a ranking, kept between calls.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CU_MEMHOSTALLOC_WRITECOMBINED;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaEvent, CudaSlice, CudaStream, DeviceRepr, PinnedHostSlice, ValidAsZeroBits,
};
use half::f16;

use super::super::plan::Plan;
use super::Fused;

/// The most bytes of a workspace that is kept after a call.
pub(super) const MAX_KEPT: usize = 512 << 20;

/// The buffers of one ranking at a time.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// Coarse scores of a piece (batch, `Plan::piece`).
    pub(super) scores: Buffer<f16>,
    /// The bits of the greatest squared length of a row, if rows are streamed.
    pub(super) longest: Buffer<u32>,
    /// One for each batch.
    pub(super) slots: Vec<Slot>,
    /// Two, if rows are streamed.
    pub(super) pairs: Vec<Pair>,
}

/// The buffers of a batch of queries.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) count: usize,
    /// Queries on their way to the device, and results on their way back.
    pub(super) host_queries: Pinned<f32>,
    pub(super) host_records: Pinned<u64>,
    /// (count, dim), negated for the lowest scores.
    pub(super) queries: Buffer<f32>,
    /// The same in f16.
    pub(super) halves: Buffer<f16>,
    /// Error bounds (count).
    pub(super) slacks: Buffer<f32>,
    /// Lists (count, splits, capacity), and their states (count, splits, 2).
    pub(super) entries: Buffer<u64>,
    pub(super) states: Buffer<u32>,
    /// Results (count, record).
    pub(super) records: Buffer<u64>,
    /// When the results have arrived.
    pub(super) arrived: CudaEvent,
}

impl Workspace {
    /// Provides buffers for `batches` and results of `record` values.
    pub(super) fn reserve(
        &mut self,
        fused: &Fused,
        plan: &Plan,
        batches: &[Range<usize>],
        record: usize,
    ) -> Result<()> {
        let stream = &fused.stream;
        let largest = batches.iter().map(Range::len).max().unwrap_or(0);
        self.scores.reserve(stream, largest * plan.piece)?;
        self.longest.reserve(stream, 1)?;
        while self.slots.len() < batches.len() {
            self.slots.push(Slot::new(stream)?);
        }
        for (slot, batch) in self.slots.iter_mut().zip(batches) {
            let (count, values) = (batch.len(), batch.len() * fused.dim);
            let lists = count * plan.splits;
            slot.count = count;
            slot.host_queries.reserve(stream, values, CU_MEMHOSTALLOC_WRITECOMBINED)?;
            slot.host_records.reserve(stream, count * record, 0)?;
            slot.queries.reserve(stream, values)?;
            slot.halves.reserve(stream, values)?;
            slot.slacks.reserve(stream, count)?;
            slot.entries.reserve(stream, lists * plan.capacity)?;
            slot.states.reserve(stream, 2 * lists)?;
            slot.records.reserve(stream, count * record)?;
        }
        Ok(())
    }

    /// Bytes of device memory.
    pub(super) fn bytes(&self) -> usize {
        let slot = |slot: &Slot| {
            slot.queries.bytes()
                + slot.halves.bytes()
                + slot.slacks.bytes()
                + slot.entries.bytes()
                + slot.states.bytes()
                + slot.records.bytes()
        };
        let slots: usize = self.slots.iter().map(slot).sum();
        let pairs: usize = self.pairs.iter().map(Pair::bytes).sum();
        self.scores.bytes() + self.longest.bytes() + slots + pairs
    }
}

impl Slot {
    fn new(stream: &Arc<CudaStream>) -> Result<Self> {
        Ok(Slot {
            count: 0,
            host_queries: Pinned::default(),
            host_records: Pinned::default(),
            queries: Buffer::default(),
            halves: Buffer::default(),
            slacks: Buffer::default(),
            entries: Buffer::default(),
            states: Buffer::default(),
            records: Buffer::default(),
            arrived: stream.context().new_event(None).w()?,
        })
    }

    /// Waits for the results (count, `record`).
    pub(super) fn results(&mut self, record: usize) -> Result<&[u64]> {
        self.arrived.synchronize().w()?;
        Ok(&self.host_records.get()?[..self.count * record])
    }
}

/// Device memory that grows on demand.
#[derive(Debug)]
pub(super) struct Buffer<T>(Option<CudaSlice<T>>);

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer(None)
    }
}

impl<T: DeviceRepr> Buffer<T> {
    /// Provides at least `len` values. Their contents are undefined.
    pub(super) fn reserve(&mut self, stream: &Arc<CudaStream>, len: usize) -> Result<()> {
        if self.0.as_ref().is_none_or(|buffer| buffer.len() < len) {
            self.0 = None; // freed first
            // SAFETY: every buffer is written before it is read: scores by the products, up to
            // the piece's length, rows and queries by copies, halves and slacks by `round_queries`,
            // states by zeroing, entries as far as the states say, records by `rescore`.
            self.0 = Some(unsafe { stream.alloc(len.max(1)) }.w()?);
        }
        Ok(())
    }

    /// The buffer, which was reserved.
    pub(super) fn get(&mut self) -> Result<&mut CudaSlice<T>> {
        self.0.as_mut().ok_or_else(|| candle_core::Error::msg("a buffer was not reserved"))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.len() * size_of::<T>())
    }
}

/// Page-locked memory that grows on demand.
#[derive(Debug)]
pub(super) struct Pinned<T>(Option<PinnedHostSlice<T>>);

impl<T> Default for Pinned<T> {
    fn default() -> Self {
        Pinned(None)
    }
}

impl<T: DeviceRepr + ValidAsZeroBits> Pinned<T> {
    /// Provides at least `len` values. Their contents are undefined.
    pub(super) fn reserve(
        &mut self,
        stream: &Arc<CudaStream>,
        len: usize,
        flags: u32,
    ) -> Result<()> {
        if self.0.as_ref().is_none_or(|buffer| buffer.len() < len) {
            self.0 = None;
            let context = stream.context();
            // SAFETY: f16, f32 and u64 have no invalid values, and what is read was written
            // before: rows and queries by the host, results by a copy that was waited for.
            self.0 = Some(unsafe { context.alloc_pinned_with_flags(len.max(1), flags) }.w()?);
        }
        Ok(())
    }

    /// The memory, which was reserved. The caller has waited for copies.
    pub(super) fn get(&mut self) -> Result<&mut [T]> {
        let buffer =
            self.0.as_mut().ok_or_else(|| candle_core::Error::msg("no page-locked memory"))?;
        buffer.as_mut_slice().w()
    }
}

/// A streamed piece on both sides.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) host: Pinned<f16>,
    pub(super) device: Buffer<f16>,
    /// The last copy from `host`.
    pub(super) copied: CudaEvent,
    /// The last computation with `device`.
    pub(super) computed: CudaEvent,
}

impl Pair {
    pub(super) fn new(context: &Arc<CudaContext>) -> Result<Self> {
        let (copied, computed) = (context.new_event(None).w()?, context.new_event(None).w()?);
        Ok(Pair { host: Pinned::default(), device: Buffer::default(), copied, computed })
    }

    /// Bytes of device memory.
    fn bytes(&self) -> usize {
        self.device.bytes()
    }
}
