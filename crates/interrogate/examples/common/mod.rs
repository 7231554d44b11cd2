//! What the examples of benches/gpu share: timed runs, and generated pictures.

#![allow(dead_code, reason = "each example uses some of it")]

use std::error::Error;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use interrogate::{Compute, Device, Precision};
use serde_json::{Value, json};

/// The result of an example, or an error.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A run: its duration, and when it began and ended, in nanoseconds of the system clock. The
/// records of a profiler that have the same clock tell how long kernels ran in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) span: [u64; 2],
}

/// Calls `work` once untimed, which loads kernels and allocates memory, then `runs` times, at
/// least once. Returns the timed runs and the last result.
pub(crate) fn timed<T>(
    runs: usize,
    mut work: impl FnMut() -> Outcome<T>,
) -> Outcome<(Vec<Run>, T)> {
    let mut result = work()?;
    let mut times = Vec::new();
    for _ in 0..runs.max(1) {
        let (began, started) = (now(), Instant::now());
        result = work()?;
        let seconds = started.elapsed().as_secs_f64();
        times.push(Run { seconds, span: [began, now()] });
    }
    Ok((times, result))
}

/// Returns runs as JSON.
pub(crate) fn runs(runs: &[Run]) -> Value {
    let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    let spans: Vec<[u64; 2]> = runs.iter().map(|run| run.span).collect();
    json!({ "seconds": seconds, "spans_ns": spans })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

/// Parses the device and the precision; fails if the device is not available.
pub(crate) fn compute(device: &str, precision: &str) -> Outcome<Compute> {
    let (device, precision): (Device, Precision) = (device.parse()?, precision.parse()?);
    device.check()?; // loads the device's libraries, which is not timed
    Ok(Compute { device, precision: Some(precision), ..Compute::default() })
}

/// Returns the RGB values of picture number `number`: smooth waves and some noise, so that
/// decoding its JPEG costs what a photo of this size costs.
pub(crate) fn picture(number: usize, width: u32, height: u32) -> Vec<u8> {
    let mut state = number as u64 + 1;
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let noise = (state >> 40) as f32 / (1 << 24) as f32 * 24.0;
                let (x, y) = (x as f32 / 41.0 + number as f32, y as f32 / 57.0 + channel as f32);
                let wave = x.sin() + y.cos() + (x * y / 9.0).sin();
                rgb.push((116.0 + 34.0 * wave + noise).clamp(0.0, 255.0) as u8);
            }
        }
    }
    rgb
}
