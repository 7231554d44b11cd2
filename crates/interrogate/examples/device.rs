//! Times the ranking of generated rows on a device: this project's part of
//! `benches/gpu/gpu.py`.
//!
//! ```text
//! device DEVICE ROWS DIM K RUNS QUERIES...
//! ```
//!
//! Prints a JSON object for each number of queries: the time of copying the rows to the device,
//! the number of rows that stay there, the time of every run, and whether the results equal the
//! CPU's, row for row and bit for bit.

#![expect(clippy::print_stdout, reason = "the output is for `gpu.py`")]

mod common;

use std::time::Instant;

use common::{Outcome, runs, timed};
use half::f16;
use interrogate::Device;
use interrogate::encoder::Features;
use interrogate::rank::device::Resident;
use interrogate::rank::{Hit, Order, Rows};
use rayon::prelude::*;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Queries whose results are compared with the CPU's, and values of a table from which on fewer
/// are.
const CHECKED: usize = 64;
const MANY: usize = 1 << 30;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [device, rows, dim, k, times, queries @ ..] = &args[..] else {
        return Err("usage: device DEVICE ROWS DIM K RUNS QUERIES...".into());
    };
    let device: Device = device.parse()?;
    let (rows, dim): (usize, usize) = (rows.parse()?, dim.parse()?);
    let (k, times): (usize, usize) = (k.parse()?, times.parse()?);
    device.check()?; // loads the device's libraries, which is not timed

    let mut values = vec![f16::ZERO; rows * dim];
    values.par_chunks_mut(dim).enumerate().for_each(|(row, values)| {
        let unit = unit(1, row, dim);
        values.iter_mut().zip(unit).for_each(|(to, value)| *to = f16::from_f32(value));
    });
    let table = Rows::new(dim, vec![&values])?;
    let started = Instant::now();
    let resident = Resident::new(device, &table, u64::MAX)?;
    let copied = started.elapsed().as_secs_f64();

    let checks = if rows.saturating_mul(dim) < MANY { CHECKED } else { CHECKED / 8 };
    for count in queries {
        let count: usize = count.parse()?;
        let queries = (0..count).map(|query| Features::new(unit(2, query, dim)));
        let queries = queries.collect::<Result<Vec<_>, _>>()?;
        let rank = || Ok(resident.top_k(&table, &queries, k, Order::Best)?);
        let (ranked, found) = timed(times, rank)?;
        let checked = &queries[..count.min(checks)];
        let expected = table.top_k(checked, k, Order::Best)?;
        let equal = found.iter().zip(&expected).all(|(a, b)| bits(a) == bits(b));
        let report = json!({
            "device": device.to_string(), "rows": rows, "dim": dim, "k": k,
            "resident": resident.resident(), "copy_s": copied, "queries": count,
            "rank": runs(&ranked), "checked": checked.len(), "equal": equal,
        });
        println!("{report}");
    }
    Ok(())
}

fn bits(hits: &[Hit]) -> Vec<(usize, u32)> {
    hits.iter().map(|hit| (hit.row, hit.score.to_bits())).collect()
}

/// Returns a row that depends only on the seed and its number: values in -1..1 by the mix
/// of SplitMix64 (Steele, Lea and Flood), scaled to unit length.
fn unit(seed: u64, row: usize, dim: usize) -> Vec<f32> {
    let value = |at: usize| {
        let mut z = (seed << 48).wrapping_add((row * dim + at + 1) as u64);
        z = z.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..dim).map(value).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
    values.into_iter().map(|value| value / length).collect()
}
