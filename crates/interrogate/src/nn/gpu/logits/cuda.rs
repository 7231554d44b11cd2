//! The kernel that reduces logits, on CUDA.

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaView, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::{DType, Device, Result, Storage, Tensor};
use half::{bf16, f16};

use crate::cuda::{Source, function};
use crate::nn::backend::{LogitsRequest, ReducedLogits, TokenLogit};

/// The text of the kernel file.
const TEXT: &str = include_str!("logits.cu");

/// Sizes of the kernel, equal to those in its source.
const THREADS: usize = 1024;
const WARPS: usize = THREADS / 32;

/// Shared memory of a block: keys of 8 bytes, and sums of two f32.
const SHARED_BYTES: usize = (THREADS + WARPS) * 8 + WARPS * 8;

/// The largest vocabulary, so that the kernel's token numbers do not overflow.
const MAX_VOCAB: usize = 1 << 30;

/// Returns the kernel file.
fn source() -> Source {
    Source { name: "logits", text: TEXT, constants: Vec::new() }
}

/// Returns the parts of `logits` that `request` names, whose picks exist. Returns `None` if the
/// kernel does not take the logits.
pub(super) fn reduce(logits: &Tensor, request: &LogitsRequest) -> Result<Option<ReducedLogits>> {
    let Device::Cuda(device) = logits.device() else { return Ok(None) };
    let (sequences, vocab) = logits.dims2()?;
    let shape = Shape {
        sequences,
        vocab,
        candidates: request.candidates.min(vocab),
        picks: request.picks.len(),
    };
    let words = sequences.saturating_mul(1 + 2 * shape.candidates).saturating_add(shape.picks);
    if sequences == 0 || vocab == 0 || vocab > MAX_VOCAB || words > u32::MAX as usize {
        return Ok(None);
    }
    let name = match logits.dtype() {
        DType::F32 => "reduce_f32",
        DType::F16 => "reduce_f16",
        DType::BF16 => "reduce_bf16",
        _ => return Ok(None),
    };
    let logits = logits.contiguous()?;
    let (storage, layout) = logits.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else { return Ok(None) };
    let Some((start, end)) = layout.contiguous_offsets() else { return Ok(None) };
    let kernel = function(device, &source(), name, SHARED_BYTES)?;
    let picks = match &request.picks[..] {
        // SAFETY: the kernel reads none of no picks.
        [] => unsafe { device.cuda_stream().alloc::<u32>(1) }.w()?,
        picks => device.clone_htod(picks.as_flattened())?,
    };
    let out = match logits.dtype() {
        DType::F32 => launch::<f32>(
            device,
            &kernel,
            &storage.as_cuda_slice()?.slice(start..end),
            &shape,
            &picks,
        ),
        DType::F16 => launch::<f16>(
            device,
            &kernel,
            &storage.as_cuda_slice()?.slice(start..end),
            &shape,
            &picks,
        ),
        _ => launch::<bf16>(
            device,
            &kernel,
            &storage.as_cuda_slice()?.slice(start..end),
            &shape,
            &picks,
        ),
    };
    Ok(Some(shape.parse(&device.cuda_stream().clone_dtoh(&out?).w()?)))
}

/// The sizes of a call.
struct Shape {
    sequences: usize,
    vocab: usize,
    candidates: usize,
    picks: usize,
}

impl Shape {
    /// Words that the kernel writes.
    fn words(&self) -> usize {
        self.sequences * (1 + 2 * self.candidates) + self.picks
    }

    /// Reads what the kernel wrote.
    fn parse(&self, words: &[u32]) -> ReducedLogits {
        let (rows, picked) = words.split_at(self.words() - self.picks);
        let mut reduced = ReducedLogits::default();
        for row in rows.chunks_exact(1 + 2 * self.candidates) {
            reduced.log_sums.push(f32::from_bits(row[0]));
            let (tokens, logits) = row[1..].split_at(self.candidates);
            let candidate =
                |(&token, &logit): (&u32, &u32)| TokenLogit { token, logit: f32::from_bits(logit) };
            reduced.candidates.extend(tokens.iter().zip(logits).map(candidate));
        }
        reduced.picked = picked.iter().map(|&word| f32::from_bits(word)).collect();
        reduced
    }
}

/// Queues the kernel, which has the type `T`, and returns its output.
fn launch<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    kernel: &CudaFunction,
    logits: &CudaView<'_, T>,
    shape: &Shape,
    picks: &CudaSlice<u32>,
) -> Result<CudaSlice<u32>> {
    let stream = device.cuda_stream();
    // SAFETY: the kernel below writes all words before any is read.
    let mut out = unsafe { stream.alloc::<u32>(shape.words()) }.w()?;
    let config = LaunchConfig {
        grid_dim: (shape.sequences as u32, 1, 1),
        block_dim: (THREADS as u32, 1, 1),
        shared_mem_bytes: SHARED_BYTES as u32,
    };
    let (vocab, candidates) = (shape.vocab as u32, shape.candidates as u32);
    let count = shape.picks as u32;
    let mut launch = stream.launch_builder(kernel);
    launch.arg(logits).arg(&vocab).arg(&candidates).arg(picks).arg(&count).arg(&mut out);
    // SAFETY: these are the kernel's arguments, in their order and of their types. `logits` are
    // (sequences, vocab) with one block per sequence, `candidates` is at most `vocab`, `picks`
    // has `count` pairs that were checked against both, and `out` has the words that the kernel
    // writes. The shared memory has the size that the kernel lays out.
    unsafe { launch.launch(config) }.w()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no GPU: compiles the source for each supported generation.
    #[test]
    fn logits_kernels_compile() {
        for generation in [(8, 0), (9, 0)] {
            let ptx = source().compile(generation).unwrap();
            for name in ["reduce_f32", "reduce_f16", "reduce_bf16"] {
                assert!(ptx.contains(&format!(".entry {name}(")), "{name} for {generation:?}");
            }
        }
    }

    #[test]
    fn threads_match_the_source() {
        assert!(TEXT.contains(&format!("#define THREADS {THREADS}\n")));
    }

    #[test]
    fn output_is_parsed() {
        let shape = Shape { sequences: 2, vocab: 9, candidates: 2, picks: 1 };
        let bits = f32::to_bits;
        let words =
            [bits(7.0), 3, 1, bits(5.0), bits(4.0), bits(8.0), 0, 2, bits(6.0), bits(2.0), 0];
        let reduced = shape.parse(&words);
        assert_eq!(reduced.log_sums, [7.0, 8.0]);
        assert_eq!(reduced.candidates[1], TokenLogit { token: 1, logit: 4.0 });
        assert_eq!(reduced.candidates[2], TokenLogit { token: 0, logit: 6.0 });
        assert_eq!(reduced.picked, [0.0]);
    }
}
