//! Times captions of generated pictures: a part of `benches/gpu/gpu.py`.
//!
//! ```text
//! captions DEVICE PRECISION MODEL IMAGES TOKENS RUNS BEAMS...
//! ```
//!
//! All images are one batch, and every caption has `TOKENS` tokens. Prints a JSON object for each
//! number of beams: the time to load the model, and every run's time, from prepared pixels to
//! text.

#![expect(clippy::print_stdout, reason = "the output is for `gpu.py`")]

mod common;

use std::path::Path;
use std::time::Instant;

use common::{Outcome, compute, picture, runs, timed};
use interrogate::caption::{GenerationConfig, open_on};
use interrogate::picture::Picture;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [device, precision, model, images, tokens, times, beams @ ..] = &args[..] else {
        return Err("usage: captions DEVICE PRECISION MODEL IMAGES TOKENS RUNS BEAMS...".into());
    };
    let compute = compute(device, precision)?;
    let (images, tokens): (usize, usize) = (images.parse()?, tokens.parse()?);
    let times: usize = times.parse()?;
    let started = Instant::now();
    let model = open_on(Path::new(model), compute.precision, compute.device)?;
    let load_s = started.elapsed().as_secs_f64();
    let pixels = |number| -> Outcome<_> {
        let picture = Picture::from_rgb(320, 240, picture(number, 320, 240))?;
        Ok(model.preprocess().prepare(&picture)?)
    };
    let pixels = (0..images).map(pixels).collect::<Outcome<Vec<_>>>()?;
    let pixels: Vec<_> = pixels.iter().collect();
    for beams in beams {
        let num_beams: usize = beams.parse()?;
        let options = GenerationConfig {
            num_beams,
            max_new_tokens: tokens,
            min_new_tokens: tokens,
            ..GenerationConfig::default()
        };
        let (found, captions) =
            timed(times, || Ok(model.caption_prepared(&pixels, &options, &mut |_| {})?))?;
        let generated: usize = captions.iter().map(|caption| caption.tokens.len()).sum();
        let report = json!({
            "device": device, "precision": precision, "images": images, "load_s": load_s,
            "beams": num_beams, "tokens": generated, "caption": runs(&found),
        });
        println!("{report}");
    }
    Ok(())
}
