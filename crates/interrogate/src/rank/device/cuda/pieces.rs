//! Rows that do not fit, through page-locked memory.

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PinnedHostSlice};
use half::f16;
use rayon::prelude::*;

use super::super::super::Rows;
use super::Fused;

impl Fused {
    /// Calls `take` with the rows from each of `firsts` on, so many as `counts` says,
    /// copied to the device. While one piece is computed the next is read from the
    /// map into page-locked memory and copied: two buffers on either side. The waits
    /// between the two streams are by events that cudarc keeps with each buffer.
    pub(super) fn stream_pieces(
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
