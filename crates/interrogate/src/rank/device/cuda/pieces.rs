//! Streaming of rows that do not fit the device, through page-locked memory.

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PinnedHostSlice};
use half::f16;
use rayon::prelude::*;

use super::super::super::Rows;
use super::Fused;

impl Fused {
    /// Calls `scan` with pieces of rows on the device, each starting at one of `firsts` and of
    /// the length in `counts`. While one piece is computed, the next is read from the map into
    /// page-locked memory and copied: two buffers on each side. cudarc synchronizes the two
    /// streams by events that it keeps with each buffer.
    pub(super) fn stream_pieces(
        &self,
        rows: &Rows<'_>,
        firsts: &[usize],
        counts: &[usize],
        mut scan: impl FnMut(usize, &CudaView<'_, f16>) -> Result<()>,
    ) -> Result<()> {
        let most = counts.iter().copied().max().unwrap_or(0) * self.dim;
        if most == 0 {
            return Ok(());
        }
        let mut buffers: Vec<(PinnedHostSlice<f16>, CudaSlice<f16>)> = Vec::new();
        for _ in 0..firsts.len().min(2) {
            // SAFETY: each buffer is written before it is read, piece by piece below.
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
            scan(first, &device.slice(..count * self.dim))?;
        }
        // The buffers must outlive the kernels that read them.
        self.stream.synchronize().w()
    }
}
