//! `interrogate similarity`: the cosine of each text and an image.

use interrogate::prompt::{ChainScorer, Scorer};
use serde::Serialize;

use super::texts;
use crate::args::{self, Format};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::Stdout;

/// One text as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    text: &'a str,
    score: f32,
}

/// Prints the cosine of each text and the image, the largest first; equal ones keep the
/// order of the texts.
pub(crate) fn run(args: &args::Similarity, logger: &Logger) -> Result<Outcome, CliError> {
    let picture = args.decoding.open(&args.image)?;
    let texts = texts::read(&args.texts)?;
    let model = opening::model(&args.model, logger)?;
    let features = model.image_encoder()?.encode(std::slice::from_ref(&picture))?;
    let encoder = model.text_encoder()?;
    let mut scores: Vec<(&str, f32)> = Vec::with_capacity(texts.len());
    for features in &features {
        let mut scorer = ChainScorer::new(encoder.as_ref(), features);
        for batch in texts.chunks(texts::BATCH) {
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            scores.extend(batch.iter().copied().zip(scorer.score("", &batch)?));
        }
    }
    if !args.in_order {
        scores.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable
    }
    let image = args.image.to_string_lossy();
    let mut output = Stdout::new();
    for (text, score) in scores {
        match args.format.or(Format::Text) {
            Format::Jsonl => output.json(&Row { image: &image, text, score })?,
            Format::Text => output.line(format_args!("{score:7.4}  {text}"))?,
        }
    }
    Ok(Outcome { done: 1, ..Outcome::default() })
}
