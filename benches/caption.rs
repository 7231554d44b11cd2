//! Captioning against transformers, over one checkpoint.
//!
//! `python benches/caption.py make FOLDER blip2-opt-small` writes a checkpoint,
//! `INTERROGATE_CAPTION_MODEL=FOLDER cargo bench --bench caption` runs our side,
//! `python benches/caption.py race FOLDER` theirs. Each prints one JSON line per
//! case: seconds to the first token (image tower and prompt), prompt positions per
//! second in that time, and tokens per second over the batch, each the best of the
//! runs. Each step reads all weights of the language model once, for up to 96
//! sequences: `weights_gb_s` is that rate, and `of_roof` its share of the memory
//! bandwidth, which is measured first. Many sequences are bound by arithmetic
//! instead, and have a small share.
//!
//! `INTERROGATE_CAPTION_PRECISION` lists f32, f16, bf16 and q8,
//! `INTERROGATE_CAPTION_CASES` batch x beams, and `INTERROGATE_CAPTION_RUNS` is
//! for models that take minutes.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::path::Path;
use std::time::Instant;

use interrogate::Precision;
use interrogate::caption::{Captioner, GenerationConfig, open};
use rayon::prelude::*;

/// As in the binaries.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Positions before the first token: the queries and the start token.
const PROMPT: usize = 33;

fn main() {
    let setting = |name: &str| std::env::var(format!("INTERROGATE_CAPTION_{name}")).ok();
    let Some(folder) = setting("MODEL") else {
        println!("caption: skipped, INTERROGATE_CAPTION_MODEL names no folder");
        return;
    };
    let runs: usize = setting("RUNS").and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let cases = setting("CASES").unwrap_or_else(|| "1x1 1x6 8x1 8x6".to_owned());
    let roof = roof();
    println!(r#"{{"memory_gb_s":{roof:.2},"threads":{}}}"#, rayon::current_num_threads());
    let values = language_values(Path::new(&folder));
    for name in setting("PRECISION").unwrap_or_else(|| "f32".to_owned()).split_whitespace() {
        let (precision, bytes) = match name {
            "f16" => (Precision::F16, 2.0),
            "bf16" => (Precision::Bf16, 2.0),
            "q8" => (Precision::Q8, 68.0 / 64.0),
            _ => (Precision::F32, 4.0),
        };
        let started = Instant::now();
        let model = open(Path::new(&folder), precision).unwrap_or_else(|error| panic!("{error}"));
        let loaded = started.elapsed().as_secs_f64();
        let (peak, anonymous) = (gib("VmHWM"), gib("RssAnon"));
        println!(
            r#"{{"side":"interrogate","dtype":"{name}","load_s":{loaded:.3},"peak_gib":{peak:.2},"anonymous_gib":{anonymous:.2}}}"#
        );
        for case in cases.split_whitespace() {
            let Some((batch, beams)) = case.split_once('x') else { continue };
            let (Ok(batch), Ok(beams)) = (batch.parse(), beams.parse()) else { continue };
            let (first, step) = best(model.as_ref(), runs, batch, beams);
            let rate = batch as f64 / step;
            let prompt = (batch * PROMPT) as f64 / first;
            let (peak, anonymous) = (gib("VmHWM"), gib("RssAnon"));
            let read = values * bytes / step / 1e9;
            let share = read / roof;
            println!(
                r#"{{"side":"interrogate","dtype":"{name}","batch":{batch},"beams":{beams},"first_token_s":{first:.3},"prompt_per_s":{prompt:.1},"tokens_per_s":{rate:.2},"weights_gb_s":{read:.2},"of_roof":{share:.2},"peak_gib":{peak:.2},"anonymous_gib":{anonymous:.2}}}"#
            );
        }
    }
}

/// Steps after the first token.
const STEPS: usize = 20;

/// Seconds to the first token, and seconds per step after it, each the best of the
/// runs.
fn best(model: &dyn Captioner, runs: usize, batch: usize, beams: usize) -> (f64, f64) {
    let (height, width) = model.preprocess().crop;
    let pixels = vec![0.0; batch * 3 * height as usize * width as usize];
    let options = GenerationConfig {
        num_beams: beams,
        min_new_tokens: STEPS + 1,
        max_new_tokens: STEPS + 1,
        ..GenerationConfig::default()
    };
    let run = || {
        let (started, mut ended) = (Instant::now(), Vec::with_capacity(STEPS + 1));
        let watch = &mut |_| ended.push(started.elapsed().as_secs_f64());
        let captions = model.caption_pixels(&pixels, &options, watch);
        assert!(captions.is_ok_and(|captions| captions.len() == batch));
        assert_eq!(ended.len(), STEPS + 1);
        (ended[0], (ended[STEPS] - ended[0]) / STEPS as f64)
    };
    let least = |best: (f64, f64), run: (f64, f64)| (best.0.min(run.0), best.1.min(run.1));
    (0..runs).map(|_| run()).fold((f64::INFINITY, f64::INFINITY), least)
}

/// Memory bandwidth in GB/s: all threads together sum 2 GB. The best of five runs.
fn roof() -> f64 {
    let values = vec![1u64; 1 << 28];
    let size = size_of_val(values.as_slice()) as f64;
    let pass = || {
        let started = Instant::now();
        let parts = values.par_chunks(1 << 18);
        let sum: u64 =
            parts.map(|part| part.iter().fold(0, |sum, v| sum ^ v)).reduce(|| 0, |a, b| a ^ b);
        assert_eq!(std::hint::black_box(sum), 0);
        size / started.elapsed().as_secs_f64() / 1e9
    };
    (0..5).map(|_| pass()).fold(0.0, f64::max)
}

/// Number of weights that a step of an OPT reads: its layers, and the token embeddings as
/// the head.
fn language_values(folder: &Path) -> f64 {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{error}"));
    let mut values = 0;
    for path in files.flatten().map(|file| file.path()) {
        if path.extension().is_none_or(|ending| ending != "safetensors") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{error}"));
        // SAFETY: no other process changes the checkpoint of the benchmark while it is mapped.
        let map = unsafe { memmap2::Mmap::map(&file) }.unwrap_or_else(|error| panic!("{error}"));
        let header = safetensors::SafeTensors::read_metadata(&map);
        let (_, metadata) = header.unwrap_or_else(|error| panic!("{error}"));
        for (name, info) in metadata.tensors() {
            if name.starts_with("language_model.") && !name.contains("embed_positions") {
                values += info.shape.iter().product::<usize>();
            }
        }
    }
    values as f64
}

/// A line of /proc/self/status in GiB: `VmHWM`, the peak of resident memory with mapped
/// files, or `RssAnon`, the resident memory now without files.
fn gib(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / f64::from(1 << 20)
}
