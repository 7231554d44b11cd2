//! `interrogate embed texts`: the embeddings of texts.

use super::row::Row;
use crate::args::{Format, Lines, ModelChoice};
use crate::commands::texts;
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Record, Stdout};

/// Prints the embedding of each text.
pub(super) fn run(
    texts: &[String],
    model: &ModelChoice,
    format: Lines,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let tower = opening::model(model, logger)?.text_encoder()?;
    let texts = texts::read(texts)?;
    let mut output = Stdout::new();
    for batch in texts.chunks(texts::BATCH) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        for (&text, features) in batch.iter().zip(tower.encode(&batch)?.rows()) {
            let row = Row::of_text(text, features);
            match format.or(Format::Jsonl) {
                Format::Jsonl => output.json(&row)?,
                Format::Text => output.line(row.text(true))?,
            }
        }
    }
    Ok(Outcome { done: texts.len(), ..Outcome::default() })
}
