//! The kernel files of attention, and their sizes.

use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{DType, Result};

use crate::cuda::Source;

/// The text of the kernel files.
const LISTS: &str = include_str!("../lists.cu");
const SPANS: &str = include_str!("../spans.cu");

/// Sizes of the kernels, equal to those in their sources.
pub(super) const LISTS_MAX_HEAD: usize = 256;
pub(super) const LIST_WARPS: usize = 4;
pub(super) const LIST_STEP: usize = 4;
/// The floats of a thread in shared memory if lists are split.
pub(super) const LIST_FLOATS: usize = 10;
pub(super) const SPANS_MAX_HEAD: usize = 128;
pub(super) const SPAN_WARPS: usize = 4;
pub(super) const FEW_QUERIES: usize = 16;
pub(super) const TILE_QUERIES: usize = FEW_QUERIES * SPAN_WARPS;
const STAGE: usize = 64;
const PITCH_PAD: usize = 8;

/// A kernel for one size of heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) name: &'static str,
    /// The values of a head.
    pub(super) head: usize,
    /// Whether `spans.cu` is compiled for bf16; `None` for `lists.cu`, which has all types.
    pub(super) bf16: Option<bool>,
}

impl Kernel {
    fn source(&self) -> Source {
        let head = ("HEAD", self.head);
        match self.bf16 {
            None => Source { name: "attention-lists", text: LISTS, constants: vec![head] },
            Some(bf16) => {
                let constants = vec![head, ("BF16", usize::from(bf16))];
                Source { name: "attention-spans", text: SPANS, constants }
            }
        }
    }

    /// Returns the kernel on `device`: compiled once per process, loaded once per device. It may
    /// use `shared` bytes of shared memory, the same at each call.
    pub(super) fn load(self, device: &CudaDevice, shared: usize) -> Result<CudaFunction> {
        static LOADED: Mutex<Vec<(DeviceId, Kernel, CudaFunction)>> = Mutex::new(Vec::new());
        // Ignore lock poisoning: the list has whole entries.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(id, kernel, _): &&(DeviceId, Kernel, CudaFunction)| {
            (*id, *kernel) == (device.id(), self)
        };
        if let Some((_, _, function)) = loaded.iter().find(same) {
            return Ok(function.clone());
        }
        let function = crate::cuda::function(device, &self.source(), self.name, shared)?;
        loaded.push((device.id(), self, function.clone()));
        Ok(function)
    }
}

/// Returns the kernel files for heads of `head` values in rows of `dtype`.
pub(in super::super::super) fn sources(head: usize, dtype: DType) -> Vec<Source> {
    let bf16 = match dtype {
        DType::F16 if head <= SPANS_MAX_HEAD => Some(false),
        DType::BF16 if head <= SPANS_MAX_HEAD => Some(true),
        _ => None,
    };
    let kernel = |bf16| Kernel { name: "", head, bf16 };
    let lists = (head <= LISTS_MAX_HEAD).then(|| kernel(None));
    let spans = bf16.map(|bf16| kernel(Some(bf16)));
    lists.iter().chain(&spans).map(Kernel::source).collect()
}

/// The heads that a warp of `lists.cu` takes.
pub(super) fn heads_per_warp(head: usize) -> usize {
    32 / head.div_ceil(8).next_power_of_two().clamp(1, 32)
}

/// Shared memory of a block of `spans.cu`, with tiles of `tile` queries.
pub(super) fn spans_bytes(head: usize, tile: usize) -> usize {
    (tile + 4 * STAGE) * (head.next_multiple_of(16) + PITCH_PAD) * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_match_the_sources() {
        for line in [
            format!("#define LIST_WARPS {LIST_WARPS} "),
            format!("#define LIST_STEP {LIST_STEP} "),
            "float highest, sum, values[8];".to_owned(),
            format!("HEAD <= {} ? 16 : 32", LISTS_MAX_HEAD / 2),
        ] {
            assert!(LISTS.contains(&line), "{line}");
        }
        for line in [
            format!("#define SPAN_WARPS {SPAN_WARPS}\n"),
            format!("#define STAGE {STAGE} "),
            format!("#define PITCH (WIDE + {PITCH_PAD})"),
            format!("FEW ? {FEW_QUERIES} : {FEW_QUERIES} * SPAN_WARPS"),
            format!("at most {SPANS_MAX_HEAD};"),
        ] {
            assert!(SPANS.contains(&line), "{line}");
        }
        assert_eq!([4, 16, 32, 64, 80, 128, 256].map(heads_per_warp), [32, 16, 8, 4, 2, 2, 1]);
        // The most that a block may have on the oldest supported generation, 8.0.
        assert!(spans_bytes(SPANS_MAX_HEAD, TILE_QUERIES) <= 163 * 1024);
    }

    /// NVRTC needs no GPU: compiles each variant for each supported generation.
    #[test]
    fn kernels_compile() {
        for head in [4, 10, 32, 64, 80, 88, 96, 104, 128] {
            for bf16 in [None, Some(false), Some(true)] {
                let kernel = Kernel { name: "", head, bf16 };
                let names: &[&str] = match bf16 {
                    None => &["attend_lists_f32", "attend_lists_f16", "attend_lists_bf16"],
                    Some(_) => &["attend_spans", "attend_few"],
                };
                for generation in [(8, 0), (9, 0)] {
                    let ptx = kernel.source().compile(generation).unwrap();
                    for name in names {
                        let entry = format!(".entry {name}(");
                        assert!(ptx.contains(&entry), "{name} {head} for {generation:?}");
                    }
                }
            }
        }
    }
}
