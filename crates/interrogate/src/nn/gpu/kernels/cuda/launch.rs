//! What the launches share: checks and grids.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{DType, Device, Result, Shape, Tensor};

use super::super::{Kernels, SUMS};
use super::functions::{CHUNK, Functions};

/// The most threads of a block of `finish` and `lookup`.
const THREADS: usize = 256;

/// Blocks per multiprocessor: several times as many as it holds, so that its last ones end
/// together with the others'.
pub(super) const BLOCKS: usize = 16;

/// The most rows and columns of a launch, so that sums of row numbers and steps fit u32.
pub(super) const MOST: usize = 1 << 30;

impl Kernels {
    /// Returns the kernels' functions; `None` if `rows` are not on a CUDA device, or too many.
    pub(super) fn functions(&self, rows: &Tensor) -> Result<Option<&Functions>> {
        let Device::Cuda(device) = rows.device() else { return Ok(None) };
        let (count, width) = rows.dims2()?;
        if count > MOST || width > MOST {
            return Ok(None);
        }
        if let Some(known) = self.functions.get() {
            return Ok(Some(known));
        }
        let loaded = Functions::new(device, self.dtype)?;
        Ok(Some(self.functions.get_or_init(|| loaded)))
    }

    /// Whether these rows are sums.
    pub(super) fn are_sums(&self, rows: &Tensor) -> Result<bool> {
        match rows.dtype() {
            dtype if dtype == self.dtype => Ok(false),
            SUMS => Ok(true),
            other => candle_core::bail!("expected rows of {:?}, found {other:?}", self.dtype),
        }
    }
}

/// Checks the type and the shape of a tensor, if there is one.
pub(super) fn check(tensor: Option<&Tensor>, dtype: DType, shape: &Shape) -> Result<()> {
    match tensor {
        Some(tensor) if tensor.dtype() != dtype || tensor.shape() != shape => candle_core::bail!(
            "expected {dtype:?} of shape {shape:?}, found {:?} of {:?}",
            tensor.dtype(),
            tensor.shape()
        ),
        _ => Ok(()),
    }
}

pub(super) fn config([x, y]: [usize; 2], threads: usize, shared: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (x as u32, y as u32, 1),
        block_dim: (threads as u32, 1, 1),
        shared_mem_bytes: shared as u32,
    }
}

/// The grid of `finish` and `lookup`: a thread for each chunk of columns, of `lanes` chunks in a
/// block, each for many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) rows: u32,
    pub(super) width: u32,
    pub(super) lanes: u32,
    blocks: [usize; 2],
    threads: usize,
}

impl Grid {
    pub(super) fn new(rows: usize, width: usize, processors: usize) -> Self {
        let chunks = width.div_ceil(CHUNK);
        let lanes = chunks.clamp(1, THREADS);
        let of_block = THREADS / lanes;
        let columns = chunks.div_ceil(lanes);
        let most = (BLOCKS * processors).div_ceil(columns.max(1));
        Grid {
            rows: rows as u32,
            width: width as u32,
            lanes: lanes as u32,
            blocks: [rows.div_ceil(of_block).min(most), columns],
            threads: (of_block * lanes).next_multiple_of(32),
        }
    }

    pub(super) fn config(&self) -> LaunchConfig {
        config(self.blocks, self.threads, 0)
    }
}
