//! Captioning against transformers, over one checkpoint.
//!
//! `python benches/caption.py make FOLDER blip2-opt-small` writes a checkpoint,
//! `INTERROGATE_CAPTION_MODEL=FOLDER cargo bench --bench caption` runs our side,
//! `python benches/caption.py race FOLDER` theirs. Each prints a JSON line a
//! case: seconds to the first token (image tower and prompt), then tokens a
//! second over the batch, the best of three runs. `INTERROGATE_CAPTION_PRECISION`
//! is f32, f16 or bf16, `INTERROGATE_CAPTION_CASES` lists batch x beams, and
//! `INTERROGATE_CAPTION_RUNS` is for models that take minutes.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::path::Path;
use std::time::Instant;

use interrogate::caption::{Generation, Precision, open};

fn main() {
    let setting = |name: &str| std::env::var(format!("INTERROGATE_CAPTION_{name}")).ok();
    let Some(folder) = setting("MODEL") else {
        println!("caption: skipped, for INTERROGATE_CAPTION_MODEL names no folder");
        return;
    };
    let name = setting("PRECISION").unwrap_or_else(|| "f32".to_owned());
    let precision = match name.as_str() {
        "f16" => Precision::F16,
        "bf16" => Precision::Bf16,
        _ => Precision::F32,
    };
    let runs = setting("RUNS").and_then(|runs| runs.parse().ok()).unwrap_or(3);
    let cases = setting("CASES").unwrap_or_else(|| "1x1 1x6 8x1 8x6".to_owned());
    let started = Instant::now();
    let model = open(Path::new(&folder), precision).unwrap_or_else(|error| panic!("{error}"));
    let loaded = started.elapsed().as_secs_f64();
    println!(r#"{{"side":"interrogate","dtype":"{name}","load_s":{loaded:.3}}}"#);
    let (height, width) = model.preprocess().crop;
    for case in cases.split_whitespace() {
        let Some((batch, beams)) = case.split_once('x') else { continue };
        let (Ok(batch), Ok(beams)) = (batch.parse::<usize>(), beams.parse::<usize>()) else {
            continue;
        };
        let pixels = vec![0.0; batch * 3 * height as usize * width as usize];
        let seconds = |tokens| {
            let options = Generation {
                num_beams: beams,
                min_new_tokens: tokens,
                max_new_tokens: tokens,
                ..Generation::default()
            };
            let run = || {
                let started = Instant::now();
                let captions = model.caption_pixels(&pixels, &options, &mut |_| {});
                assert!(captions.is_ok_and(|captions| captions.len() == batch));
                started.elapsed().as_secs_f64()
            };
            (0..runs).map(|_| run()).fold(f64::INFINITY, f64::min)
        };
        let (first, all) = (seconds(1), seconds(21));
        let rate = 20.0 * batch as f64 / (all - first);
        let peak = peak_gib().unwrap_or(f64::NAN);
        println!(
            r#"{{"side":"interrogate","dtype":"{name}","batch":{batch},"beams":{beams},"first_token_s":{first:.3},"tokens_per_s":{rate:.2},"peak_gib":{peak:.2}}}"#
        );
    }
}

/// The most memory that this process held, mapped files included.
fn peak_gib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / f64::from(1 << 20))
}
