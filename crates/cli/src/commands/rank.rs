//! `interrogate rank`: the best labels of each image.

use interrogate::Interrogator;
use interrogate::index::Match;
use interrogate::rank::Order;
use serde::Serialize;

use crate::args::{self, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, MatchJson, Record};
use crate::run::Run;
use crate::stream::ImageResult;

/// The best labels of one image as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    table: &'a str,
    matches: Vec<MatchJson<'a>>,
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "table", kind: Kind::Text, at: "table" },
        Column { name: "labels", kind: Kind::Texts, at: "matches.label" },
        Column { name: "scores", kind: Kind::Numbers, at: "matches.score" },
        Column { name: "rows", kind: Kind::Integers, at: "matches.row" },
        Column { name: "tables", kind: Kind::Texts, at: "matches.table" },
    ];
    const KEYS: &'static [&'static str] = &["table", "matches"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, _alone: bool) -> String {
        let mut text = crate::escape::line(self.image);
        for found in &self.matches {
            text += &format!("\n  {:7.4}  {}", found.score, crate::escape::line(found.label));
        }
        text
    }

    fn sidecar(&self) -> String {
        self.matches.iter().map(|found| found.label).collect::<Vec<_>>().join(", ")
    }
}

/// Writes the best labels of each image.
pub(crate) fn run(args: &args::Rank, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().source(&args.source);
    let mut run = Run::open::<Row<'_>>(&args.images, &args.output, None, Form::Text, files)?;
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    run.record_index(&index)?;
    let interrogator = Interrogator::new(&model, index)?;
    let names: Vec<&str> = args.table.iter().map(String::as_str).collect();
    let table = interrogator.index().merged(&names)?;
    let (name, several) = (names.join(","), names.len() > 1);
    let order = if args.reverse { Order::Worst } else { Order::Best };
    let tower = interrogator.tower();
    run.write::<Row<'_>, _>(logger, &|picture| tower.prepare(picture), |batches, results| {
        for batch in batches {
            let encoded = batch.features(tower);
            let ranked = encoded.map(|features| table.rank_many(&features, args.k.get(), order))?;
            for ImageResult { name: image, result, .. } in ranked {
                match result {
                    Ok(matches) => {
                        let matches = found(&matches, several);
                        results
                            .write(&image, &Row { image: &image.text, table: &name, matches })?;
                    }
                    Err(error) => results.failed(&image, &error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}

/// Matches as JSON objects, with the names of their tables if there are `several`.
pub(super) fn found<'a>(matches: &[Match<'a>], several: bool) -> Vec<MatchJson<'a>> {
    let found =
        |m: &Match<'a>| MatchJson { table: several.then_some(m.table), ..MatchJson::from(m) };
    matches.iter().map(found).collect()
}
