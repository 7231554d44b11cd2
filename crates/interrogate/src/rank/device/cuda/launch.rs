//! Launches of the kernels: grid sizes and arguments. All unsafe launches are here.

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, LaunchConfig, PushKernelArg};
use half::f16;

use super::{DeviceQueries, FEW, Fused, LIST, LIST_BYTES};

/// Sizes of the kernels, equal to those in their source.
const SCAN_WARPS: u32 = 4;
const TILE_QUERIES: usize = 64;
pub(super) const TILE_ROWS: usize = 128;
const TILE_WARPS: u32 = 8;
const STEP: usize = 32;
const PAD: usize = 8;
pub(super) const MERGE_WARPS: u32 = 8;

impl Fused {
    /// The number of blocks along `count` rows, and the rows of each.
    pub(super) fn blocks(&self, count: usize, queries: usize) -> (usize, usize) {
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

    /// Writes the best rows of a piece as lists, from number `list` on; `first` is the row
    /// number of the piece's first row.
    pub(super) fn coarse_scan(
        &self,
        batch: &DeviceQueries,
        piece: &CudaView<'_, f16>,
        first: usize,
        keys: &mut CudaSlice<u64>,
        lists: usize,
        list: usize,
    ) -> Result<()> {
        let count = piece.len() / self.dim;
        let (blocks, strip) = self.blocks(count, batch.count);
        if blocks == 0 {
            return Ok(());
        }
        let (n, first, dim) = (count as u32, first as u32, self.dim as u32);
        let (queries, strip) = (batch.count as u32, strip as u32);
        let (lists, list) = (lists as u32, list as u32);
        let (function, config) = match &batch.halves {
            None => (
                &self.scan,
                LaunchConfig {
                    grid_dim: (blocks as u32, 1, 1),
                    block_dim: (32 * SCAN_WARPS, 1, 1),
                    shared_mem_bytes: scan_bytes(self.dim, batch.count) as u32,
                },
            ),
            Some(_) => (
                &self.tile,
                LaunchConfig {
                    grid_dim: (blocks as u32, batch.count.div_ceil(TILE_QUERIES) as u32, 1),
                    block_dim: (32 * TILE_WARPS, 1, 1),
                    shared_mem_bytes: tile_bytes(self.dim) as u32,
                },
            ),
        };
        let mut launch = self.stream.launch_builder(function);
        launch.arg(piece).arg(&n).arg(&first).arg(&dim);
        match &batch.halves {
            None => launch.arg(&batch.values),
            Some(halves) => launch.arg(halves),
        };
        launch.arg(&queries).arg(&strip).arg(keys).arg(&lists).arg(&list);
        // SAFETY: the arguments are those of `scan` and of `tile`, in their order and of their
        // types. `piece` has n rows of dim values and is aligned to 16 bytes, as each row is,
        // because dim is a multiple of 8; the queries are (queries, dim); `keys` holds `lists`
        // lists for each query, of which this call writes `blocks` from `list` on. The shared
        // memory has the size that the kernel lays out, which was granted when it was loaded.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    pub(super) fn merge(
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
        // SAFETY: these are `merge`'s arguments; keys are (queries, lists, LIST) and merged
        // (queries, LIST), with one block per query.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    /// Returns the keys of the rows in `merged` with true scores, sorted.
    pub(super) fn rescore_lists(
        &self,
        batch: &DeviceQueries,
        values: &CudaSlice<f16>,
        merged: &CudaSlice<u64>,
    ) -> Result<Vec<u64>> {
        let dim = self.dim as u32;
        let mut ranked = self.stream.alloc_zeros::<u64>(batch.count * LIST).w()?;
        let config = LaunchConfig {
            grid_dim: (batch.count as u32, 1, 1),
            block_dim: (2 * LIST as u32, 1, 1),
            shared_mem_bytes: (LIST_BYTES + 4 * self.dim) as u32,
        };
        let mut launch = self.stream.launch_builder(&self.rescore);
        launch.arg(values).arg(&dim).arg(&batch.values).arg(merged).arg(&mut ranked);
        // SAFETY: these are `rescore`'s arguments; the keys in `merged` name rows of `values`,
        // as all rows are resident. An empty key stands for row 0, which exists.
        unsafe { launch.launch(config) }.w()?;
        self.stream.clone_dtoh(&ranked).w()
    }

    /// Raises `longest` to the greatest squared length of a row of `piece`.
    pub(super) fn measure(
        &self,
        piece: &CudaView<'_, f16>,
        longest: &mut CudaSlice<u32>,
    ) -> Result<()> {
        let (n, dim) = ((piece.len() / self.dim) as u32, self.dim as u32);
        let config = LaunchConfig {
            grid_dim: (n.div_ceil(8).clamp(1, 8 * self.processors as u32), 1, 1),
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

/// Shared memory of a block of `scan`.
pub(super) fn scan_bytes(dim: usize, queries: usize) -> usize {
    SCAN_WARPS as usize * queries * LIST_BYTES + 4 * queries * dim
}

/// Shared memory of a block of `tile`.
pub(super) fn tile_bytes(dim: usize) -> usize {
    let stages = 2 * TILE_ROWS * (STEP + PAD) * 2;
    TILE_QUERIES * (LIST_BYTES + 4) + stages + TILE_QUERIES * (dim.next_multiple_of(STEP) + PAD) * 2
}

#[cfg(test)]
mod tests {
    use super::super::source::TEXT;
    use super::*;

    #[test]
    fn sizes_match_the_source() {
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
            assert!(TEXT.contains(&line), "{line}");
        }
    }
}
