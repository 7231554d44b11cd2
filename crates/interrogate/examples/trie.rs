//! Compares labels encoded as one trie with labels encoded one by one, and bf16 with f32.
//!
//! ```text
//! cargo run --release --example trie -- CHECKPOINT SAMPLE LABELS...
//! ```
//!
//! `LABELS` are files of one label a line. `SAMPLE` random lines are used, or all if it is
//! 0. Prints one JSON line: the largest difference of a value between the two ways, in f32
//! and in bf16; the smallest cosine of a label's rows in bf16 and f32; and the time of each
//! way.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use interrogate::clip::Checkpoint;
use interrogate::encoder::{Embeddings, TextEncoder};
use interrogate::{Compute, Precision};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[allow(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, files @ ..] = arguments.as_slice() else {
        return Err("usage: trie CHECKPOINT SAMPLE LABELS...".into());
    };
    let checkpoint = Checkpoint::open(Path::new(folder))?;
    let texts = files.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let mut labels: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    sample(&mut labels, count.parse()?);

    let (f32_rows, f32_report) = both_ways(&checkpoint, Precision::F32, &labels)?;
    let (bf16_rows, bf16_report) = both_ways(&checkpoint, Precision::Bf16, &labels)?;
    let cosine = |(a, b): (&[f32], &[f32])| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let cosine = f32_rows.rows().zip(bf16_rows.rows()).map(cosine).fold(1f64, f64::min);
    let report = json!({ "checkpoint": folder, "labels": labels.len(), "f32": f32_report,
        "bf16": bf16_report, "min_cosine_of_bf16": cosine });
    println!("{report}");
    Ok(())
}

/// Encodes `labels` as one trie and one by one; returns the rows of the trie and a report of
/// the differences.
fn both_ways(
    checkpoint: &Checkpoint,
    precision: Precision,
    labels: &[&str],
) -> Result<(Embeddings, serde_json::Value), Box<dyn Error>> {
    let encoder = checkpoint
        .text_encoder_with(&Compute { precision: Some(precision), ..Compute::default() })?;
    let start = Instant::now();
    let together = encoder.encode(labels)?;
    let together_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut difference = 0f32;
    for (label, row) in labels.iter().zip(together.rows()) {
        let alone = encoder.encode(&[label])?;
        let differences = alone.as_slice().iter().zip(row).map(|(a, b)| (a - b).abs());
        difference = differences.fold(difference, f32::max);
    }
    let alone_s = start.elapsed().as_secs_f64();
    let report =
        json!({ "max_difference": difference, "together_s": together_s, "alone_s": alone_s });
    Ok((together, report))
}

/// Keeps `count` random labels, by a generator with a fixed seed; all if `count` is 0 or at
/// least their number.
fn sample(labels: &mut Vec<&str>, count: usize) {
    if count == 0 || count >= labels.len() {
        return;
    }
    let mut state = 1u64;
    for at in 0..count {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let from = at + (state >> 33) as usize % (labels.len() - at);
        labels.swap(at, from);
    }
    labels.truncate(count);
}
