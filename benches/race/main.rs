//! This project's side of the race: answers the requests of `race.py`, one JSON line each.
//!
//! A process that stays open lets the script take turns between this project
//! and its rivals while weights and tables stay loaded on both sides. Threads
//! are rayon's: `RAYON_NUM_THREADS` sets them. Without the argument `answer` it does
//! nothing, so that `cargo bench` skips it.

#![expect(clippy::print_stdout, reason = "it answers on standard output")]

mod chain;
mod embed;
mod encode;
mod rank;
mod roof;
mod setting;
mod table;
mod turns;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use serde::Deserialize;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A request. Paths are files that the script wrote or reads.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Request {
    /// Returns the threads and the ranking kernel.
    Setting,
    /// Measures the peak rates of this machine.
    Roof,
    /// Loads the text tower.
    Text(encode::Load),
    /// Encodes a file of labels.
    Encode(encode::Encode),
    /// Scores candidates after a prompt.
    Chain(chain::Chain),
    /// Loads the image tower.
    Image(embed::Load),
    /// Encodes pixels.
    Embed(embed::Embed),
    /// Builds an index of seeded rows, and queries for it.
    Table(table::Table),
    /// Opens such an index.
    Open(rank::Reopen),
    /// Ranks queries against it.
    Rank(rank::Rank),
    /// Returns the memory of this process.
    Memory,
}

/// What stays loaded between requests.
#[derive(Default)]
struct Loaded {
    text: Option<encode::Text>,
    image: Option<embed::Image>,
    index: Option<rank::Opened>,
}

fn main() -> Result<()> {
    if !std::env::args().any(|argument| argument == "answer") {
        println!("race: skipped, race.py runs it with `answer`");
        return Ok(());
    }
    let mut loaded = Loaded::default();
    for line in stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(Box::from)
            .and_then(|request| answer(request, &mut loaded))
            .unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
        stdout().flush()?;
    }
    Ok(())
}

fn answer(request: Request, loaded: &mut Loaded) -> Result<Value> {
    match request {
        Request::Setting => Ok(setting::setting()),
        Request::Roof => Ok(roof::roof()),
        Request::Text(load) => load.run(&mut loaded.text),
        Request::Encode(encode) => encode.run(loaded.text.as_ref()),
        Request::Chain(chain) => chain.run(loaded.text.as_ref()),
        Request::Image(load) => load.run(&mut loaded.image),
        Request::Embed(embed) => embed.run(loaded.image.as_ref()),
        Request::Table(table) => table.run(&mut loaded.index),
        Request::Open(reopen) => reopen.run(&mut loaded.index),
        Request::Rank(rank) => rank.run(loaded.index.as_ref()),
        Request::Memory => setting::memory(),
    }
}
