//! `interrogate embed`: features of images, embeddings of texts.

use std::io::{BufRead, stdin};

use serde::Serialize;

use super::prompts;
use crate::args::{Embed, Format};
use crate::fault::{Fault, Outcome};
use crate::output::Output;
use crate::talk::Talk;
use crate::{batch, images, opening};

/// Texts that are embedded together.
pub(super) const BATCH: usize = 256;

/// One answer as a JSON object, named by what was embedded.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    features: &'a [f32],
}

/// Prints a row of values for each image or text.
pub(crate) fn run(args: &Embed, talk: &Talk) -> Result<Outcome, Fault> {
    match args {
        Embed::Images { images, model, format } => {
            let paths = images::collect(&images.paths)?;
            let tower = opening::model(model, talk)?.image_encoder()?;
            let format = format.or(Format::Jsonl);
            let look = |paths: &[_]| batch::look(paths, |p| tower.encode(p));
            super::each_image(&paths, images.batch_size, format, talk, look, |output, seen| {
                for (name, features) in &seen {
                    let features = features.as_slice();
                    print(output, format, Row { image: Some(name), text: None, features })?;
                }
                Ok(())
            })
        }
        Embed::Texts { texts, model, format } => {
            let tower = opening::model(model, talk)?.text_encoder()?;
            let texts = typed(texts)?;
            let mut output = Output::new();
            for batch in texts.chunks(BATCH) {
                let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                for (&text, features) in batch.iter().zip(tower.encode(&batch)?.rows()) {
                    let row = Row { image: None, text: Some(text), features };
                    print(&mut output, format.or(Format::Jsonl), row)?;
                }
            }
            Ok(Outcome { done: texts.len(), failed: 0 })
        }
        Embed::Prompts(args) => prompts::run(args, talk),
        Embed::Average(args) => prompts::average(args),
    }
}

/// The texts that were typed, or those of stdin where `-` was.
pub(super) fn typed(texts: &[String]) -> Result<Vec<String>, Fault> {
    if texts == ["-"] { lines() } else { Ok(texts.to_vec()) }
}

fn lines() -> Result<Vec<String>, Fault> {
    let read = stdin().lock().lines().collect::<Result<_, _>>();
    read.map_err(|e| interrogate::Error::io("read", "standard input")(e).into())
}

/// One row; as text the name, then the values, apart by tabs.
fn print(output: &mut Output, format: Format, row: Row<'_>) -> Result<(), Fault> {
    match format {
        Format::Jsonl => output.json(&row)?,
        Format::Text => {
            let mut line = row.image.or(row.text).unwrap_or_default().to_owned();
            row.features.iter().for_each(|value| line += &format!("\t{value}"));
            output.line(line)?;
        }
    }
    Ok(())
}
