//! Launches of the kernels: grid sizes and arguments.

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, LaunchConfig, PushKernelArg};
use half::f16;
use rayon::prelude::*;

use super::super::plan::{BATCH, Plan};
use super::Fused;
use super::workspace::Slot;
use crate::encoder::Features;

/// Threads of a block of `select_rows`: SELECT_THREADS of its source.
const SELECT_THREADS: u32 = 256;

/// Queries from which on they are copied by several threads.
const PARALLEL: usize = 128;

/// The bits of the greatest squared length of a row.
pub(super) type Greatest = CudaSlice<u32>;

impl Fused {
    /// Copies queries to the device, multiplied by `sign`, and empties their lists. `alone`: no
    /// other batch is being computed.
    pub(super) fn load(
        &self,
        slot: &mut Slot,
        queries: &[&Features],
        plan: &Plan,
        sign: f32,
        alone: bool,
    ) -> Result<()> {
        let values = queries.len() * self.dim;
        let host = &mut slot.host_queries.get()?[..values];
        let copy = |(to, query): (&mut [f32], &&Features)| to.copy_from_slice(query.as_slice());
        match queries.len() {
            0..PARALLEL => host.chunks_exact_mut(self.dim).zip(queries).for_each(copy),
            _ => host.par_chunks_exact_mut(self.dim).with_min_len(32).zip(queries).for_each(copy),
        }
        // Beside the computation of the batch before.
        let stream = if alone { &self.stream } else { &self.copies };
        let device = slot.queries.get()?;
        stream.memcpy_htod(&*host, &mut device.slice_mut(..values)).w()?;
        if !alone {
            self.stream.join(&self.copies).w()?;
        }
        let (count, dim) = (queries.len() as u32, self.dim as u32);
        let config = LaunchConfig {
            grid_dim: (count.div_ceil(4), 1, 1),
            block_dim: (128, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.stream.launch_builder(&self.round_queries);
        launch.arg(device).arg(&count).arg(&dim).arg(&sign);
        launch.arg(slot.halves.get()?).arg(slot.slacks.get()?);
        // SAFETY: these are `round_queries`'s arguments; both buffers of queries are (count,
        // dim), slacks (count), with a warp per query.
        unsafe { launch.launch(config) }.w()?;
        let mut states = slot.states.get()?.slice_mut(..2 * queries.len() * plan.splits);
        self.stream.memset_zeros(&mut states).w()
    }

    /// Adds the rows of a piece of scores to the lists.
    pub(super) fn select(
        &self,
        scores: &CudaSlice<f16>,
        slot: &mut Slot,
        first: usize,
        rows: usize,
        plan: &Plan,
    ) -> Result<()> {
        debug_assert!(slot.count <= BATCH && rows <= plan.piece);
        let (pitch, n, first) = (plan.piece as u64, rows as u32, first as u32);
        let (strip, wanted) = (plan.strip(rows) as u32, plan.wanted as u32);
        let capacity = plan.capacity as u32;
        let config = LaunchConfig {
            grid_dim: (plan.splits as u32, slot.count as u32, 1),
            block_dim: (SELECT_THREADS, 1, 1),
            shared_mem_bytes: plan.select_bytes() as u32,
        };
        let mut launch = self.stream.launch_builder(&self.select_rows);
        launch.arg(scores).arg(&pitch).arg(&n).arg(&first).arg(&strip).arg(&wanted);
        launch.arg(&capacity).arg(slot.entries.get()?).arg(slot.states.get()?);
        // SAFETY: these are `select_rows`'s arguments, in their order and of their types.
        // `scores` is (count, pitch) with n of each row written; the lists are (count, splits,
        // capacity) and their states (count, splits, 2), one block each, and the strips cover
        // the n rows. The shared memory was granted when the kernel was loaded.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    /// Rescores the rows in the lists if the device has all of `values`, and copies the results
    /// to the host.
    pub(super) fn finish(
        &self,
        slot: &mut Slot,
        values: Option<&CudaSlice<f16>>,
        longest: &Greatest,
        plan: &Plan,
        k: usize,
    ) -> Result<()> {
        let record = 1 + if values.is_some() { k } else { plan.width };
        let threads = if plan.splits > 1 || plan.width > 64 { 256 } else { 64 };
        let config = LaunchConfig {
            grid_dim: (slot.count as u32, 1, 1),
            block_dim: (threads, 1, 1),
            shared_mem_bytes: plan.rescore_bytes(self.dim) as u32,
        };
        let (dim, k, null) = (self.dim as u32, k as u32, 0u64);
        let (splits, capacity) = (plan.splits as u32, plan.capacity as u32);
        let (wanted, width) = (plan.wanted as u32, plan.width as u32);
        let mut launch = self.stream.launch_builder(&self.rescore);
        match values {
            Some(values) => launch.arg(values),
            None => launch.arg(&null),
        };
        launch.arg(&dim).arg(&*slot.queries.get()?).arg(&*slot.slacks.get()?).arg(longest);
        launch.arg(&*slot.entries.get()?).arg(&*slot.states.get()?).arg(&splits).arg(&capacity);
        launch.arg(&wanted).arg(&width).arg(&k).arg(slot.records.get()?);
        // SAFETY: these are `rescore`'s arguments, in their order and of their types. Entries
        // name rows of `values`, which are all rows of the table, each aligned to 16 bytes; the
        // other buffers have `count` parts of the sizes in the plan, one block each; `records`
        // is (count, record), and 1 <= k <= wanted <= width. The shared memory was granted when
        // the kernel was loaded.
        unsafe { launch.launch(config) }.w()?;
        let len = slot.count * record;
        let host = &mut slot.host_records.get()?[..len];
        self.stream.memcpy_dtoh(&slot.records.get()?.slice(..len), host).w()?;
        slot.arrived.record(&self.stream).w()
    }

    /// Raises `longest` to the greatest squared length of a row of `piece`.
    pub(super) fn measure(&self, piece: &CudaView<'_, f16>, longest: &mut Greatest) -> Result<()> {
        let (n, dim) = ((piece.len() / self.dim) as u32, self.dim as u32);
        let config = LaunchConfig {
            grid_dim: (n.div_ceil(8).clamp(1, 8 * self.limits.processors as u32), 1, 1),
            block_dim: (256, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.stream.launch_builder(&self.longest);
        launch.arg(piece).arg(&n).arg(&dim).arg(longest);
        // SAFETY: these are `longest`'s arguments; `piece` has n rows of dim values.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::TEXT;
    use super::*;

    #[test]
    fn sizes_match_the_source() {
        assert!(TEXT.contains(&format!("#define SELECT_THREADS {SELECT_THREADS}\n")));
    }
}
