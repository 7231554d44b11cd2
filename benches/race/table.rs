//! Seeded rows in a real index, as `build-index` writes it.
//!
//! Rows come from an encoder without a model, so that all files are those of any other
//! index. Rivals read the same rows from its shards.
//!
//! Random rows have nothing in common and flatter 8-bit codes. Rows of models share a
//! mean of norm 0.7, have three values ten times the others, and come in clusters of
//! near-duplicates: that is `anisotropic`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use build_index::{Builder, Dictionary};
use interrogate::encoder::{Embeddings, TextEncoder, Tokens};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rank::{Opened, QUERIES};
use crate::{Result, turns};

/// Builds an index.
#[derive(Deserialize)]
pub(crate) struct Table {
    folder: PathBuf,
    kind: Kind,
    dim: usize,
    /// Names and rows of its tables.
    tables: Vec<(String, usize)>,
    /// The number of queries to write to [`QUERIES`].
    queries: usize,
}

/// The distribution of the rows.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Random,
    Anisotropic,
}

impl Table {
    pub(crate) fn run(self, index: &mut Option<Opened>) -> Result<Value> {
        *index = None;
        let rows = Seeded::new(self.dim, self.kind);
        let mut first = 0;
        let mut dictionaries = Vec::new();
        for (name, count) in &self.tables {
            let lines: String = (first..first + count).map(|row| format!("{row}\n")).collect();
            let path = PathBuf::from(name).with_extension("txt");
            dictionaries.push(Dictionary::parse(&path, lines.as_bytes())?);
            first += count;
        }
        let start = Instant::now();
        let report = Builder::new(&rows, "seeded rows", "seeded rows").build(
            &dictionaries,
            &self.folder,
            |_| ControlFlow::Continue(()),
        )?;
        let build_s = start.elapsed().as_secs_f64();
        drop(dictionaries);
        // Numbers beyond all rows, so that no query is a row.
        let queries = rows.rows((0..self.queries).map(|n| (1 << 40) + n as u64).collect());
        let queries = Embeddings::new(self.dim, queries)?;
        turns::write(Some(&self.folder.join(QUERIES)), queries.as_slice())?;
        *index = Some(Opened::open(&self.folder)?);
        Ok(json!({ "build_s": build_s, "bytes": report.bytes }))
    }
}

/// An encoder whose labels are row numbers.
struct Seeded {
    dim: usize,
    kind: Kind,
    mean: Vec<f32>,
}

impl Seeded {
    fn new(dim: usize, kind: Kind) -> Self {
        let mut mean = vec![0.0; dim];
        direction(u64::MAX, &mut mean);
        Seeded { dim, kind, mean }
    }

    /// The rows of these numbers, not of unit length.
    fn rows(&self, numbers: Vec<u64>) -> Vec<f32> {
        let mut values = vec![0.0; numbers.len() * self.dim];
        let rows = values.par_chunks_mut(self.dim).zip(numbers);
        rows.for_each_init(|| vec![0.0; self.dim], |own, (row, number)| self.row(number, own, row));
        values
    }

    fn row(&self, number: u64, own: &mut [f32], row: &mut [f32]) {
        if self.kind == Kind::Random {
            return direction(number, row);
        }
        // Three of ten rows are near-duplicates.
        let cluster = if number % 10 < 3 { number - number % 10 } else { number };
        direction(cluster, own);
        own.iter_mut().take(3).for_each(|large| *large *= 10.0);
        unit(own);
        direction(!number, row);
        for ((value, own), mean) in row.iter_mut().zip(own).zip(&self.mean) {
            // 0.7 of the mean, sqrt(1 - 0.7^2) of its own, and a trace of noise.
            *value = 0.7 * mean + 0.714 * *own + 0.02 * *value;
        }
    }
}

impl TextEncoder for Seeded {
    fn dim(&self) -> usize {
        self.dim
    }

    fn tokenize(&self, texts: &[&str]) -> interrogate::Result<Tokens> {
        let mut tokens = Tokens::new();
        for text in texts {
            // The labels are our own: decimal numbers below 2^32.
            tokens.push(&[text.parse().unwrap_or_default()]);
        }
        Ok(tokens)
    }

    fn embed(&self, tokens: &Tokens) -> interrogate::Result<Embeddings> {
        let numbers = tokens.iter().flatten().map(|&number| u64::from(number)).collect();
        Embeddings::new(self.dim, self.rows(numbers))
    }
}

/// A direction by `seed`: values of SplitMix64 (Steele, Lea and Flood 2014) in -1..1,
/// scaled to unit length.
fn direction(seed: u64, values: &mut [f32]) {
    let mut state = seed.wrapping_mul(0xd134_2543_de82_ef95);
    for value in &mut *values {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        *value = (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    }
    unit(values);
}

fn unit(values: &mut [f32]) {
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter_mut().for_each(|value| *value /= length);
}
