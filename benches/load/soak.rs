//! A soak test of the starter: encodes pictures, ranks labels and embeds texts in a loop.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use build_index::{Builder, open_all};
use interrogate::index::Index;
use interrogate::models::{Model, ModelSource, Options};
use interrogate::picture::Picture;
use interrogate::{Interrogator, encoder::Embeddings};
use serde_json::json;

use crate::memory;

/// Runs for `seconds` and prints the memory twenty times, first after a twentieth of the
/// time.
pub(crate) fn run(seconds: u64) -> Result<(), Box<dyn Error>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let scratch = tempfile::tempdir()?;
    let model = Model::open(ModelSource::Starter, &Options::new("cache"), &mut |_| {})?;
    let encoder = model.text_encoder()?;
    let dictionaries =
        open_all(&["mediums", "artists"].map(|t| repository.join(format!("dicts/{t}.txt"))))?;
    let builder = Builder::new(encoder.as_ref(), &model.id(), &model.fingerprint()?);
    builder.build(&dictionaries, scratch.path(), |_| ControlFlow::Continue(()))?;
    let photos = ["cat", "coffee", "rocket", "astronaut"]
        .map(|name| repository.join(format!("tests/fixtures/photos/{name}.jpg")));
    let interrogator = Interrogator::new(&model, Index::open(scratch.path())?)?;
    let (start, pause) = (Instant::now(), Duration::from_millis(seconds * 50));
    let (mut rounds, mut ranked, mut embedded, mut next) = (0u64, 0u64, 0u64, pause);
    let mut before: Option<(Embeddings, Vec<u32>)> = None;
    while start.elapsed() < Duration::from_secs(seconds) {
        let mut scores = Vec::new();
        for photo in &photos {
            let picture = Picture::open(photo)?;
            for found in interrogator.rank(&picture, "artists", 10)? {
                scores.push(found.score.to_bits());
            }
            ranked += 1;
        }
        // Reopened each time, as by a server that follows rebuilds.
        let index = Index::open(scratch.path())?;
        let labels: Vec<&str> = index.table("mediums")?.labels().collect::<Result<_, _>>()?;
        let rows = encoder.encode(&labels)?;
        embedded += labels.len() as u64;
        // The same results as in the first round, to the bit.
        match &before {
            None => before = Some((rows, scores)),
            Some((first, firsts)) => {
                if first.as_slice() != rows.as_slice() || *firsts != scores {
                    return Err(format!("round {rounds}: other results").into());
                }
            }
        }
        rounds += 1;
        if start.elapsed() >= next {
            next += pause;
            let at = start.elapsed().as_secs();
            println!(
                "{}",
                json!({ "seconds": at, "images": ranked, "texts": embedded, "memory": memory::now() })
            );
        }
    }
    Ok(())
}
