//! `interrogate rank`: the best labels of one table.

use interrogate::Interrogator;
use interrogate::rank::Order;
use serde::Serialize;

use crate::args::{self, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, MatchJson, Record};
use crate::pass::{self, Pass};

/// One answer as a JSON object.
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
        let found = self
            .matches
            .iter()
            .map(|m| format!("\n  {:7.4}  {}", m.score, crate::escape::line(m.label)));
        crate::escape::line(self.image) + &found.collect::<String>()
    }

    fn sidecar(&self) -> String {
        self.matches.iter().map(|found| found.label).collect::<Vec<_>>().join(", ")
    }
}

/// Gives the best labels of each image.
pub(crate) fn run(args: &args::Rank, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().source(&args.source);
    let mut pass = Pass::open::<Row<'_>>(&args.images, &args.output, None, Form::Text, files)?;
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    pass.asks(&index)?;
    let interrogator = Interrogator::new(&model, index)?;
    let names: Vec<&str> = args.table.iter().map(String::as_str).collect();
    let table = interrogator.index().merged(&names)?;
    let name = names.join(",");
    let order = if args.reverse { Order::Worst } else { Order::Best };
    let tower = interrogator.tower();
    let several = names.len() > 1;
    pass.each::<Row<'_>, _, _>(
        logger,
        &|picture| tower.prepare(picture),
        &mut pass::features(tower),
        &mut |seen, answers| {
            let (names, features): (Vec<_>, Vec<_>) =
                seen.into_iter().map(|seen| (seen.name, seen.seen)).unzip();
            for (image, matches) in
                names.iter().zip(table.rank_many(&features, args.k.get(), order)?)
            {
                let found = matches
                    .iter()
                    .map(|m| MatchJson { table: several.then_some(m.table), ..MatchJson::from(m) });
                let row = Row { image: &image.text, table: &name, matches: found.collect() };
                answers.push(image, &row)?;
            }
            Ok(())
        },
    )
}
