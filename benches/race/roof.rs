//! Peak rates of the machine: bytes read and multiply-adds per second.
//!
//! The best of several runs on all threads. A multiply-add counts as two operations.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;
use serde_json::{Value, json};

/// Bytes to read: more than any cache holds.
const BYTES: usize = 1 << 30;
const RUNS: usize = 7;
/// Steps of the multiply-add loop: some 20 ms.
const STEPS: usize = 4_000_000;

pub(crate) fn roof() -> Value {
    let words = vec![1u64; BYTES / 8];
    let read = best(|| words.par_chunks(1 << 16).map(sum).reduce(|| 0, u64::wrapping_add));
    drop(words);
    let threads = rayon::current_num_threads();
    let mut rates = json!({ "threads": threads, "read_bytes_per_s": BYTES as f64 / read });
    for (name, lanes_ops, kernel) in kernels() {
        let spent =
            best(|| (0..threads).into_par_iter().with_max_len(1).map(|_| kernel()).sum::<f32>());
        rates[name] = json!((threads * STEPS * lanes_ops) as f64 / spent);
    }
    rates
}

/// Seconds of the fastest run.
fn best<T>(work: impl Fn() -> T) -> f64 {
    let once = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
}

fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; 32];
    for words in words.as_chunks::<32>().0 {
        sums.iter_mut().zip(words).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    }
    sums.iter().fold(0, |a, &b| a.wrapping_add(b))
}

/// A peak: its name, the operations per step, and the loop.
type Peak = (&'static str, usize, fn() -> f32);

/// Accumulators of a loop: enough for two units with a latency of four cycles, and a
/// margin.
const SUMS: usize = 12;

#[cfg(target_arch = "x86_64")]
fn kernels() -> Vec<Peak> {
    let mut kernels: Vec<Peak> = Vec::new();
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512F, which is the only requirement.
        kernels.push(("f32_flops", SUMS * 16 * 2, || unsafe { x86::f32_avx512() }));
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has AVX2 and FMA, which is the only requirement.
        kernels.push(("f32_flops", SUMS * 8 * 2, || unsafe { x86::f32_avx2() }));
    }
    if is_x86_feature_detected!("avx512bf16") {
        // SAFETY: the processor has AVX-512 BF16, which is the only requirement.
        kernels.push(("bf16_flops", SUMS * 32 * 2, || unsafe { x86::bf16_avx512() }));
    }
    kernels
}

/// No peak is measured on other processors.
#[cfg(not(target_arch = "x86_64"))]
fn kernels() -> Vec<Peak> {
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::{STEPS, SUMS};

    #[target_feature(enable = "avx512f")]
    pub(super) fn f32_avx512() -> f32 {
        let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(1e-3)));
        let mut sums = [_mm512_set1_ps(0.5); SUMS];
        for _ in 0..STEPS {
            sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(*sum, a, b));
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn f32_avx2() -> f32 {
        let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(1e-3)));
        let mut sums = [_mm256_set1_ps(0.5); SUMS];
        for _ in 0..STEPS {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(*sum, a, b));
        }
        sums.into_iter().map(|sum| _mm256_cvtss_f32(sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn bf16_avx512() -> f32 {
        let half = _mm512_set1_ps(black_box(1e-4));
        let (a, b) = (_mm512_cvtne2ps_pbh(half, half), _mm512_cvtne2ps_pbh(half, half));
        let mut sums = [_mm512_set1_ps(0.5); SUMS];
        for _ in 0..STEPS {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, a, b));
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }
}
