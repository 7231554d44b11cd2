//! Coarse scores: products of rows and queries in f16.

use candle_core::Result;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, result, sys};
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaView, DevicePtr, DevicePtrMut, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use half::f16;

use super::super::plan::Limits;
use super::workspace::Slot;
use crate::cuda::Source;

/// Sizes of the kernels, equal to those in their source.
const STEP: usize = 64;
const STAGES: usize = 4;
const TILE_ROWS: usize = 128;
const PRODUCT_WARPS: usize = 4;
const TURNED: usize = 40;

/// A kernel for up to `queries` queries.
#[derive(Debug)]
struct Few {
    queries: usize,
    function: CudaFunction,
    shared: usize,
    /// Blocks that run at a time.
    blocks: usize,
}

/// Products for rows of one dim.
#[derive(Debug)]
pub(super) struct Products {
    dim: usize,
    few: Vec<Few>,
    blas: CudaBlas,
}

impl Products {
    pub(super) fn new(
        device: &CudaDevice,
        source: &Source,
        dim: usize,
        limits: Limits,
    ) -> Result<Self> {
        let stream = device.cuda_stream();
        let of_processor = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR;
        let of_processor = stream.context().attribute(of_processor).w()? as usize;
        let mut few = Vec::new();
        for (name, queries) in [("products_16", 16), ("products_32", 32), ("products_64", 64)] {
            let shared = shared_bytes(dim, queries);
            if shared <= limits.shared {
                let function = crate::cuda::function(device, source, name, shared)?;
                // The driver adds 1 KiB to a block.
                let blocks = limits.processors * (of_processor / (shared + 1024)).clamp(1, 2);
                few.push(Few { queries, function, shared, blocks });
            }
        }
        // A handle of its own, because the mode is the handle's.
        let blas = CudaBlas::new(stream).w()?;
        let exact_sums = sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
        // SAFETY: the handle is valid, as long as `blas` lives.
        unsafe { sys::cublasSetMathMode(*blas.handle(), exact_sums) }.result().w()?;
        Ok(Products { dim, few, blas })
    }

    /// Computes the scores of a batch with the rows of `piece`, at most `pitch`: (count, pitch).
    pub(super) fn multiply(
        &self,
        piece: &CudaView<'_, f16>,
        slot: &mut Slot,
        scores: &mut CudaSlice<f16>,
        pitch: usize,
    ) -> Result<()> {
        match self.few.iter().find(|few| slot.count <= few.queries) {
            Some(few) => self.by_kernel(few, piece, slot, scores, pitch),
            None => self.by_cublas(piece, slot, scores, pitch),
        }
    }

    fn by_kernel(
        &self,
        few: &Few,
        piece: &CudaView<'_, f16>,
        slot: &mut Slot,
        scores: &mut CudaSlice<f16>,
        pitch: usize,
    ) -> Result<()> {
        let rows = piece.len() / self.dim;
        let blocks = few.blocks.min(rows.div_ceil(TILE_ROWS)).max(1);
        let config = LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (32 * PRODUCT_WARPS as u32, 1, 1),
            shared_mem_bytes: few.shared as u32,
        };
        let (n, dim, count, pitch) =
            (rows as u32, self.dim as u32, slot.count as u32, pitch as u64);
        let stream = scores.stream().clone();
        let mut launch = stream.launch_builder(&few.function);
        launch.arg(piece).arg(&n).arg(&dim).arg(&*slot.halves.get()?).arg(&count);
        launch.arg(scores).arg(&pitch);
        // SAFETY: these are the arguments of `products`, in their order and of their types.
        // `piece` has n rows of dim values, each aligned to 16 bytes because dim is a multiple
        // of 8; there are `count` queries, at most as many as the kernel takes; `scores` has
        // count rows of `pitch`, a multiple of TILE_ROWS that is at least n. The shared memory
        // has the size that the kernel lays out, which was granted when it was loaded.
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }

    fn by_cublas(
        &self,
        piece: &CudaView<'_, f16>,
        slot: &mut Slot,
        scores: &mut CudaSlice<f16>,
        pitch: usize,
    ) -> Result<()> {
        let (rows, dim) = (piece.len() / self.dim, self.dim as i32);
        let stream = scores.stream().clone();
        let (one, zero) = (1f32, 0f32);
        let (piece, _reads_piece) = piece.device_ptr(&stream);
        let (queries, _reads_queries) = slot.halves.get()?.device_ptr(&stream);
        let (scores, _writes_scores) = scores.device_ptr_mut(&stream);
        // SAFETY: in cuBLAS's order by columns, rows are (dim, rows), queries (dim, count) and
        // scores (rows, count) with `pitch` values a column; the buffers have these sizes, and
        // the factors are f32 on the host, as the type of the computation says. All sizes are
        // below 2^31: a piece has at most 2^24 scores, or 128 rows for each query.
        unsafe {
            result::gemm_ex(
                *self.blas.handle(),
                sys::cublasOperation_t::CUBLAS_OP_T,
                sys::cublasOperation_t::CUBLAS_OP_N,
                rows as i32,
                slot.count as i32,
                dim,
                (&raw const one).cast(),
                piece as *const _,
                sys::cudaDataType_t::CUDA_R_16F,
                dim,
                queries as *const _,
                sys::cudaDataType_t::CUDA_R_16F,
                dim,
                (&raw const zero).cast(),
                scores as *mut _,
                sys::cudaDataType_t::CUDA_R_16F,
                pitch as i32,
                sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .w()
    }
}

/// Shared memory of a block of `products`.
fn shared_bytes(dim: usize, queries: usize) -> usize {
    let panel = queries * dim.next_multiple_of(STEP);
    2 * (panel + STAGES * TILE_ROWS * STEP + PRODUCT_WARPS * queries * TURNED)
}

#[cfg(test)]
mod tests {
    use super::super::source::TEXT;
    use super::*;

    #[test]
    fn sizes_match_the_source() {
        for line in [
            format!("#define STEP {STEP} "),
            format!("#define STAGES {STAGES}\n"),
            format!("#define TILE_ROWS {TILE_ROWS} "),
            format!("#define PRODUCT_WARPS {PRODUCT_WARPS}\n"),
            format!("#define TURNED {TURNED} "),
        ] {
            assert!(TEXT.contains(&line), "{line}");
        }
    }
}
