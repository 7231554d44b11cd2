//! `interrogate caption`: a sentence an image.

use serde::Serialize;

use crate::args::{self, Form};
use crate::captions::Captions;
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, Record};
use crate::pass::{Pass, Seen};

/// One answer as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    caption: &'a str,
    /// What was generated, the token that ends the caption included.
    tokens: &'a [u32],
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "caption", kind: Kind::Text, at: "caption" },
        Column { name: "tokens", kind: Kind::Integers, at: "tokens" },
    ];
    const KEYS: &'static [&'static str] = &["caption", "tokens"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        match alone {
            true => self.caption.to_owned(),
            false => format!("{}: {}", crate::escape::line(self.image), self.caption),
        }
    }

    fn sidecar(&self) -> String {
        self.caption.to_owned()
    }
}

/// Gives a caption for each image.
pub(crate) fn run(args: &args::Caption, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().model(Some(&args.caption_model));
    let sidecars = Some(&args.sidecars);
    let pass = Pass::open::<Row<'_>>(&args.images, &args.output, sidecars, Form::Text, files)?;
    let captions = Captions::open(&args.caption_model, &args.search, args.device, logger)?;
    let preprocess = captions.preprocess();
    let outcome = pass.each::<Row<'_>, _, _>(
        logger,
        &|picture| preprocess.prepare(picture),
        &mut |items| {
            let pixels = items.iter().map(|item| (item.number, &item.looked));
            captions.of(&pixels.collect::<Vec<_>>())
        },
        &mut |seen, answers| {
            for Seen { name, seen, .. } in &seen {
                let (caption, tokens) = (&*seen.text, &*seen.tokens);
                answers.push(name, &Row { image: &name.text, caption, tokens })?;
            }
            Ok(())
        },
    )?;
    captions.finish(logger);
    Ok(outcome)
}
