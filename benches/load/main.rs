//! Time and memory of a large index of ten million rows, and a soak test of memory over an
//! hour.
//!
//! ```text
//! cargo bench -p build-index --bench load -- build FOLDER ROWS [SHARD]   random rows of 512, by the builder's own writer
//! cargo bench -p build-index --bench load -- rank FOLDER                 opens it, ranks 1 and 64 images, prints time and memory
//! cargo bench -p build-index --bench load -- soak SECONDS                ranks and embeds in a loop, prints memory
//! ```
//!
//! Each prints lines of JSON. docs/runs has what was measured. Without arguments it
//! does nothing: 10,000,000 rows are 15 GB.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its figures")]

mod memory;
mod soak;

// The builder's private writer.
#[path = "../rank/tables.rs"]
#[allow(dead_code, reason = "the bench of ranking uses more of it")]
mod tables;
#[path = "../../crates/build-index/src/writer/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the builder uses more of it")]
mod writer;

use build_index::{Dictionary, Result, durable};
/// The module that the writer imports in the builder.
mod dictionary {
    pub(crate) use build_index::Texts;
}

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use half::f16;
use interrogate::index::format::shard_name;
use interrogate::index::{Digest, Index, Manifest, ModelEntry, TableEntry};
use interrogate::rank::Order;
use serde_json::json;
use tables::{DIM, Shape};

/// Rows per shard, as in the builder; fewer rows make more shards.
const SHARD: usize = 32_768;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["build", folder, rows] => build(Path::new(folder), rows.parse()?, SHARD),
        ["build", folder, rows, shard] => build(Path::new(folder), rows.parse()?, shard.parse()?),
        ["rank", folder] => rank(Path::new(folder)),
        ["soak", seconds] => soak::run(seconds.parse()?),
        _ => {
            eprintln!("build FOLDER ROWS [SHARD] | rank FOLDER | soak SECONDS");
            Ok(())
        }
    }
}

/// Writes an index of one table of `rows` rows, anisotropic as real ones are, `shard` of
/// them in a file.
fn build(
    folder: &Path,
    rows: usize,
    shard: usize,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let start = Instant::now();
    let mut text = String::with_capacity(rows * 16);
    (0..rows).try_for_each(|row| writeln!(text, "label {row:08}"))?;
    let dictionary = Dictionary::parse(Path::new("labels.txt"), text.as_bytes())?;
    drop(text);
    let count = rows.div_ceil(shard);
    let mut shards = Vec::with_capacity(count);
    for number in 0..count {
        let here = shard.min(rows - number * shard);
        let values = tables::rows(Shape::Anisotropic, here, number as u64);
        let halves: Vec<f16> =
            values.as_slice().iter().map(|&value| f16::from_f32(value)).collect();
        let name = |digest: &Digest| shard_name("labels", number, count, digest);
        shards.push(writer::write_shard(folder, DIM, &halves, name)?);
    }
    let table = TableEntry {
        name: "labels".to_owned(),
        labels: rows,
        top: None,
        dictionary: Digest::of_labels(dictionary.labels().iter()),
        label_file: writer::write_labels(folder, "labels", dictionary.labels())?,
        shards,
    };
    let model = ModelEntry { id: "random".into(), fingerprint: "random".into(), precision: None };
    let bytes = table.bytes();
    writer::write_manifest(folder, &Manifest::new(model, DIM, vec![table]))?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({ "built": rows, "bytes": bytes, "seconds": seconds, "memory": memory::now() })
    );
    Ok(())
}

/// Opens the index and ranks several times; the first ranking reads from the disk.
fn rank(folder: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut opens = Vec::new();
    for _ in 0..11 {
        let start = Instant::now();
        let index = Index::open(folder)?;
        opens.push(start.elapsed().as_secs_f64() * 1e3);
        drop(index);
    }
    let first = opens[0];
    opens.sort_by(f64::total_cmp);
    println!("{}", json!({ "open ms": { "first": first, "median": opens[5], "most": opens[10] } }));
    let index = Index::open(folder)?;
    let table = index.table("labels")?;
    println!("{}", json!({ "rows": table.len(), "memory": memory::now() }));
    for (images, runs) in [(1, 7), (64, 3)] {
        let images = tables::images(Shape::Anisotropic, images);
        let mut times = Vec::new();
        let mut best = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            let ranked = table.rank_many(&images, 3, Order::Best)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            best = ranked[0].iter().map(|found| (found.row, found.score)).collect();
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        println!(
            "{}",
            json!({
                "images": images.len(), "k": 3, "ms": { "first": first, "median": times[runs / 2] },
                "best": best, "memory": memory::now(),
            })
        );
    }
    Ok(())
}
