//! `interrogate embed`: features of images, embeddings of texts.

use std::io::stdin;
use std::path::Path;

use interrogate::input::{LineEnding, Text};
use interrogate::limits;
use serde::Serialize;

use super::prompts;
use crate::args::{Embed, Form, Format};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, Record, Stdout};
use crate::pass::{self, Pass, Seen};

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

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] =
        &[Column { name: "features", kind: Kind::Numbers, at: "features" }];
    const KEYS: &'static [&'static str] = &["features"];

    fn image(&self) -> &str {
        self.image.unwrap_or_default()
    }

    /// The name, then the values, apart by tabs.
    fn text(&self, _alone: bool) -> String {
        let mut line = crate::escape::line(self.image.or(self.text).unwrap_or_default());
        self.features.iter().for_each(|value| line += &format!("\t{value}"));
        line
    }

    fn sidecar(&self) -> String {
        self.text(true)
    }
}

/// Gives a row of values for each image or text.
pub(crate) fn run(args: &Embed, logger: &Logger) -> Result<Outcome, CliError> {
    match args {
        Embed::Images { images, model, output } => {
            let files = Files::default().model(model.model.as_deref());
            let pass = Pass::open::<Row<'_>>(images, output, None, Form::Jsonl, files)?;
            let tower = opening::model(model, logger)?.image_encoder()?;
            pass.each::<Row<'_>, _, _>(
                logger,
                &|picture| tower.prepare(picture),
                &mut pass::features(tower.as_ref()),
                &mut |seen, answers| {
                    for Seen { name, seen, .. } in &seen {
                        let features = seen.as_slice();
                        answers
                            .push(name, &Row { image: Some(&name.text), text: None, features })?;
                    }
                    Ok(())
                },
            )
        }
        Embed::Texts { texts, model, format } => {
            let tower = opening::model(model, logger)?.text_encoder()?;
            let texts = typed(texts)?;
            let mut output = Stdout::new();
            for batch in texts.chunks(BATCH) {
                let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                for (&text, features) in batch.iter().zip(tower.encode(&batch)?.rows()) {
                    let row = Row { image: None, text: Some(text), features };
                    print(&mut output, format.or(Format::Jsonl), row)?;
                }
            }
            Ok(Outcome { done: texts.len(), ..Outcome::default() })
        }
        Embed::Prompts(args) => prompts::run(args, logger),
        Embed::Average(args) => prompts::average(args),
    }
}

/// The texts that were typed, or the lines of standard input where `-` was, blank
/// ones left out.
pub(super) fn typed(texts: &[String]) -> Result<Vec<String>, CliError> {
    if texts != ["-"] {
        return Ok(texts.to_vec());
    }
    let text = Text::new(Path::new("standard input"), stdin().lock(), limits::LIST)?;
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    let mut texts = Vec::new();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?;
        if !text.trim().is_empty() {
            texts.push(text.to_owned());
        }
    }
    Ok(texts)
}

fn print(output: &mut Stdout, format: Format, row: Row<'_>) -> Result<(), CliError> {
    match format {
        Format::Jsonl => output.json(&row)?,
        Format::Text => output.line(row.text(true))?,
    }
    Ok(())
}
