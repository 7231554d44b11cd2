//! Times the encoding of dictionaries in one process: a part of `benches/gpu/gpu.py`.
//!
//! ```text
//! texts DEVICE PRECISION MODEL RUNS FILES...
//! ```
//!
//! `FILES` have one label per line. Prints one JSON object: the time to load the model and to
//! tokenize, the number of labels of each length in tokens, and every run's time.

#![expect(clippy::print_stdout, reason = "the output is for `gpu.py`")]

mod common;

use std::path::Path;
use std::time::Instant;

use common::{Outcome, compute, runs, timed};
use interrogate::clip::Checkpoint;
use interrogate::encoder::TextEncoder;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [device, precision, model, times, files @ ..] = &args[..] else {
        return Err("usage: texts DEVICE PRECISION MODEL RUNS FILES...".into());
    };
    let compute = compute(device, precision)?;
    let texts = files.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let labels = texts.iter().flat_map(|text| text.lines());
    let labels: Vec<&str> = labels.filter(|label| !label.is_empty()).collect();
    let started = Instant::now();
    let encoder = Checkpoint::open(Path::new(model))?.text_encoder_with(&compute)?;
    let load_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let tokens = encoder.tokenize(&labels)?;
    let tokenize_s = started.elapsed().as_secs_f64();
    let mut lengths = vec![0u32; encoder.context_length().min(4096) + 1];
    for sequence in tokens.iter() {
        if let Some(count) = lengths.get_mut(sequence.len()) {
            *count += 1;
        }
    }
    let (encoded, embeddings) = timed(times.parse()?, || Ok(encoder.embed(&tokens)?))?;
    let report = json!({
        "device": device, "precision": precision, "labels": labels.len(),
        "dim": embeddings.dim(), "lengths": lengths, "load_s": load_s,
        "tokenize_s": tokenize_s, "encode": runs(&encoded),
    });
    println!("{report}");
    Ok(())
}
