//! The kernel file, compiled and loaded.

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Attribute;
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{DType, Result};

use crate::cuda::Source;

/// The text of the kernel file.
const TEXT: &str = include_str!("../layers.cu");

/// Sizes of the kernels, equal to those in their source.
pub(super) const CHUNK: usize = 8;
pub(super) const MAX_CHUNKS: usize = 6;
pub(super) const BLOCK_WARPS: usize = 8;
pub(super) const ROW_WARPS: usize = 4;

/// The bytes of shared memory of a block of `block_norm`.
pub(super) const BLOCK_NORM_SHARED: usize = 4 * BLOCK_WARPS;

/// A kernel, or a pair of which one reads rows and the other residual sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    WarpNorm,
    BlockNorm,
    Finish,
    FinishSum,
    Lookup,
}

/// The names of the kernels, by their number in the source. Those of sums begin at [`OF_SUMS`].
const NAMES: [&str; 9] = [
    "warp_norm",
    "block_norm",
    "finish",
    "finish_sum",
    "lookup",
    "warp_norm_sums",
    "block_norm_sums",
    "finish_sums",
    "lookup_sums",
];

/// The number of the first kernel that reads sums.
const OF_SUMS: usize = 5;

impl Kernel {
    /// The number of the kernel in the source, for rows of `dtype` or for sums.
    fn number(self, dtype: DType, sums: bool) -> usize {
        match (self, sums && dtype != DType::F32) {
            (Kernel::WarpNorm, false) => 0,
            (Kernel::BlockNorm, false) => 1,
            (Kernel::Finish, _) => 2,
            (Kernel::FinishSum, false) => 3,
            (Kernel::Lookup, false) => 4,
            (Kernel::WarpNorm, true) => OF_SUMS,
            (Kernel::BlockNorm, true) => OF_SUMS + 1,
            (Kernel::FinishSum, true) => OF_SUMS + 2,
            (Kernel::Lookup, true) => OF_SUMS + 3,
        }
    }

    /// The chunks of a row of `width` values that a thread of a norm has; 0 for other kernels.
    pub(super) fn chunks(self, width: usize) -> usize {
        match self {
            Kernel::WarpNorm => width.div_ceil(CHUNK * 32).max(1),
            Kernel::BlockNorm => width.div_ceil(CHUNK * 32 * BLOCK_WARPS).max(1),
            Kernel::Finish | Kernel::FinishSum | Kernel::Lookup => 0,
        }
    }
}

/// The kernels for one type of weights and rows, each compiled when it is first launched.
#[derive(Debug)]
pub(in super::super) struct Functions {
    device: CudaDevice,
    dtype: DType,
    /// By number, and for norms by the chunks of a row that a thread has.
    loaded: [[OnceLock<CudaFunction>; MAX_CHUNKS + 1]; NAMES.len()],
    pub(super) processors: usize,
}

impl Functions {
    pub(super) fn new(device: &CudaDevice, dtype: DType) -> Result<Self> {
        let processors = Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let processors = device.cuda_stream().context().attribute(processors).w()?;
        let (device, processors) = (device.clone(), processors as usize);
        Ok(Functions { device, dtype, loaded: Default::default(), processors })
    }

    /// Returns the kernel that reads rows, or residual sums if `sums`. For norms, a thread has
    /// `chunks` of a row, at most [`MAX_CHUNKS`]; 0 for other kernels.
    pub(super) fn get(&self, kernel: Kernel, sums: bool, chunks: usize) -> Result<&CudaFunction> {
        let number = kernel.number(self.dtype, sums);
        let Some(slot) = self.loaded[number].get(chunks) else {
            candle_core::bail!("{chunks} chunks of a row for a thread");
        };
        if let Some(loaded) = slot.get() {
            return Ok(loaded);
        }
        let shared = if kernel == Kernel::BlockNorm { BLOCK_NORM_SHARED } else { 0 };
        let source = source(self.dtype, number, chunks)?;
        let loaded = crate::cuda::function(&self.device, &source, NAMES[number], shared)?;
        Ok(slot.get_or_init(|| loaded))
    }
}

/// Returns the kernel files for layers of rows of `width`, with weights of `dtype`.
pub(in super::super) fn sources(dtype: DType, width: usize) -> Vec<Source> {
    // Norms read rows after embeddings and in post-norm layers, else residual sums.
    let kernels = [
        (Kernel::WarpNorm, true),
        (Kernel::WarpNorm, false),
        (Kernel::BlockNorm, true),
        (Kernel::BlockNorm, false),
        (Kernel::Finish, false),
        (Kernel::FinishSum, true),
        (Kernel::Lookup, false),
    ];
    let mut sources = Vec::new();
    for (kernel, sums) in kernels {
        let chunks = kernel.chunks(width);
        if chunks <= MAX_CHUNKS {
            sources.extend(source(dtype, kernel.number(dtype, sums), chunks));
        }
    }
    sources
}

/// Returns the kernel file for weights and rows of `dtype`, with the kernel `number` alone, and
/// norms for `chunks` of a row.
fn source(dtype: DType, number: usize, chunks: usize) -> Result<Source> {
    let element = match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
        DType::BF16 => 2,
        other => candle_core::bail!("no kernels for rows of {other:?}"),
    };
    let constants = vec![("ELEMENT", element), ("ONLY", number), ("CHUNKS", chunks.max(1))];
    Ok(Source { name: "layers", text: TEXT, constants })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU: compiles each kernel for each type and supported generation.
    #[test]
    fn kernels_compile() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let count = if dtype == DType::F32 { OF_SUMS } else { NAMES.len() };
            for (number, name) in NAMES[..count].iter().enumerate() {
                for generation in [(8, 0), (9, 0)] {
                    let ptx = source(dtype, number, 2).unwrap().compile(generation).unwrap();
                    assert_eq!(ptx.matches(".entry ").count(), 1);
                    assert!(ptx.contains(&format!(".entry {name}(")), "{name} of {dtype:?}");
                    assert!(ptx.contains("ld.global.v4"), "{name} loads less than 16 bytes");
                    assert!(ptx.contains("st.global.v4"), "{name} stores less than 16 bytes");
                }
            }
        }
        assert!(source(DType::U8, 0, 1).is_err());
    }

    #[test]
    fn names_and_sizes_match_the_source() {
        for (number, name) in NAMES.iter().enumerate() {
            let line = format!("#define {} {number}\n", name.to_uppercase());
            assert!(TEXT.contains(&line), "{line}");
        }
        for kernel in [Kernel::WarpNorm, Kernel::BlockNorm, Kernel::FinishSum, Kernel::Lookup] {
            let [rows, sums] = [false, true].map(|sums| NAMES[kernel.number(DType::F16, sums)]);
            assert!(sums == format!("{rows}s") || sums == format!("{rows}_sums"));
            assert_eq!(kernel.number(DType::F32, true), kernel.number(DType::F32, false));
        }
        for line in [
            format!("#define CHUNK {CHUNK}u\n"),
            format!("#define MAX_CHUNKS {MAX_CHUNKS}u\n"),
            format!("#define BLOCK_WARPS {BLOCK_WARPS}u "),
            format!("#define ROW_WARPS {ROW_WARPS}u "),
        ] {
            assert!(TEXT.contains(&line), "{line}");
        }
    }
}
