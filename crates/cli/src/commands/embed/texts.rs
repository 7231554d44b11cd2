//! `interrogate embed texts`: the embeddings of texts.

use super::check_output;
use super::row::Row;
use crate::args::{EmbedTexts, RowFormat, TextsFormat};
use crate::commands::texts;
use crate::error::CliError;
use crate::escape;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{EmbeddingWriter, Prompt, Record, json_line};

/// Writes the embedding of each text.
pub(super) fn run(args: &EmbedTexts, logger: &Logger) -> Result<Outcome, CliError> {
    check_output(Files::default().model(args.model.model.as_deref()), args.output.as_deref(), &[])?;
    let tower = opening::model(&args.model, logger)?.text_encoder()?;
    let texts = texts::read(&args.texts)?;
    let form = args.format();
    let format = match form {
        TextsFormat::Npy => RowFormat::Npy,
        TextsFormat::Parquet => RowFormat::Parquet,
        TextsFormat::Text | TextsFormat::Jsonl => RowFormat::Jsonl, // lines
    };
    let shape = (texts.len(), tower.dim());
    let mut writer = EmbeddingWriter::open(format, args.output.as_deref(), shape)?;
    let mut number = 0..;
    for batch in texts.chunks(texts::BATCH) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        for (&text, values) in batch.iter().zip(tower.encode(&batch)?.rows()) {
            let row = Row::of_text(text, values);
            let id = number.next().unwrap_or_default();
            match form {
                TextsFormat::Jsonl => writer.write_line(json_line(&row)?)?,
                TextsFormat::Text => {
                    writer.write_line((escape::columns(&row.text(true)) + "\n").into_bytes())?;
                }
                TextsFormat::Npy | TextsFormat::Parquet => {
                    let id = usize::to_string(&id);
                    writer.write(&Prompt { id, stem: None, text: text.to_owned() }, values)?;
                }
            }
        }
    }
    writer.finish()?;
    Ok(Outcome { done: texts.len(), ..Outcome::default() })
}
