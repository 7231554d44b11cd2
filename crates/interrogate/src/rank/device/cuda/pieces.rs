//! Streaming of rows that do not fit the device, through page-locked memory.

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::CudaView;
use candle_core::cuda_backend::cudarc::driver::sys::CU_MEMHOSTALLOC_WRITECOMBINED;
use half::f16;
use rayon::prelude::*;

use super::super::super::Rows;
use super::Fused;
use super::workspace::Pair;

impl Fused {
    /// Calls `scan` with pieces of at most `most` rows on the device, which start at `firsts`.
    /// While one piece is computed, the next is read from the map into page-locked memory and
    /// copied: two buffers on each side.
    pub(super) fn stream_pieces(
        &self,
        pairs: &mut Vec<Pair>,
        rows: &Rows<'_>,
        firsts: &[usize],
        most: usize,
        mut scan: impl FnMut(usize, &CudaView<'_, f16>) -> Result<()>,
    ) -> Result<()> {
        let most = most.min(rows.len());
        let len = most * self.dim;
        while pairs.len() < firsts.len().min(2) {
            pairs.push(Pair::new(self.stream.context())?);
        }
        for pair in pairs.iter_mut() {
            pair.host.reserve(&self.stream, len, CU_MEMHOSTALLOC_WRITECOMBINED)?;
            pair.device.reserve(&self.stream, len)?;
        }
        // The copies wait for the allocations.
        self.copies.join(&self.stream).w()?;
        let mut streamed = || {
            for (turn, &first) in firsts.iter().enumerate() {
                let at = turn % pairs.len();
                let Pair { host, device, copied, computed } = &mut pairs[at];
                let count = most.min(rows.len() - first);
                copied.synchronize().w()?;
                let (host, device) = (&mut host.get()?[..count * self.dim], device.get()?);
                let mut to = &mut host[..];
                for (_, values) in rows.spans(first..first + count) {
                    let (part, rest) = to.split_at_mut(values.len());
                    part.par_chunks_mut(1 << 20)
                        .zip(values.par_chunks(1 << 20))
                        .for_each(|(to, from)| to.copy_from_slice(from));
                    to = rest;
                }
                self.copies.wait(computed).w()?;
                self.copies.memcpy_htod(&*host, &mut device.slice_mut(..count * self.dim)).w()?;
                copied.record(&self.copies).w()?;
                self.stream.wait(copied).w()?;
                scan(first, &device.slice(..count * self.dim))?;
                computed.record(&self.stream).w()?;
            }
            Ok(())
        };
        let result = streamed();
        // The buffers must outlive the copies and kernels that use them.
        self.copies.synchronize().and(self.stream.synchronize()).w()?;
        result
    }
}
