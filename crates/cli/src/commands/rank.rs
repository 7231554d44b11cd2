//! `interrogate rank`: the best labels of each image.

use std::num::NonZeroUsize;

use interrogate::encoder::Features;
use interrogate::index::{Match, Merged};
use interrogate::picture::Picture;
use interrogate::rank::{Order, Sigmoid};
use serde::Serialize;

use super::tables::Tables;
use crate::args::{self, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, MatchJson, Record};
use crate::run::Run;
use crate::stream::ImageResult;

/// The best labels of one image as a JSON object.
#[derive(Serialize)]
pub(crate) struct Row<'a, const PROBABILITIES: bool> {
    pub(crate) image: &'a str,
    pub(crate) table: &'a str,
    pub(crate) matches: Vec<MatchJson<'a>>,
}

/// The columns of a result; the last is for `--probabilities` alone.
const COLUMNS: [Column; 6] = [
    Column { name: "table", kind: Kind::Text, at: "table" },
    Column { name: "labels", kind: Kind::Texts, at: "matches.label" },
    Column { name: "scores", kind: Kind::Numbers, at: "matches.score" },
    Column { name: "rows", kind: Kind::Integers, at: "matches.row" },
    Column { name: "tables", kind: Kind::Texts, at: "matches.table" },
    Column { name: "probabilities", kind: Kind::Numbers, at: "matches.probability" },
];

impl<const PROBABILITIES: bool> Record for Row<'_, PROBABILITIES> {
    const COLUMNS: &'static [Column] =
        if PROBABILITIES { &COLUMNS } else { COLUMNS.split_at(COLUMNS.len() - 1).0 };
    const KEYS: &'static [&'static str] = &["table", "matches"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, _alone: bool) -> String {
        let mut text = crate::escape::line(self.image);
        for found in &self.matches {
            text += &format!("\n  {}", line(found));
        }
        text
    }

    fn sidecar(&self) -> String {
        self.matches.iter().map(|found| found.label).collect::<Vec<_>>().join(", ")
    }
}

/// Writes the best labels of each image.
pub(crate) fn run(args: &args::Rank, logger: &Logger) -> Result<Outcome, CliError> {
    if args.probabilities { write::<true>(args, logger) } else { write::<false>(args, logger) }
}

fn write<const PROBABILITIES: bool>(
    args: &args::Rank,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let mut files = Files::default().source(&args.source);
    for list in &args.list {
        files = files.reading(&list.path, "a list of labels");
    }
    let (images, output) = (&args.images, &args.output);
    let mut run = Run::open::<Row<'_, PROBABILITIES>>(images, output, None, Form::Text, files)?;
    let tables = Tables::open(&args.source, &args.list, args.table.is_empty(), logger)?;
    tables.record(&mut run)?;
    let ranking = Ranking::new(args, &tables)?;
    let tower = tables.model.image_encoder()?;
    let prepare = |picture: &Picture| tower.prepare(picture);
    run.write::<Row<'_, PROBABILITIES>, _>(logger, &prepare, |batches, results| {
        for batch in batches {
            let encoded = batch.features(&*tower);
            let ranked = encoded.map(|features| ranking.rank(&features))?;
            for ImageResult { name, result, .. } in ranked {
                match result {
                    Ok(matches) => {
                        let (image, table) = (name.text.as_str(), ranking.name.as_str());
                        results.write(&name, &Row::<PROBABILITIES> { image, table, matches })?;
                    }
                    Err(error) => results.failed(&name, &error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}

/// What is ranked, and how.
pub(crate) struct Ranking<'a> {
    /// The names of the tables, joined by commas.
    pub(crate) name: String,
    tables: Merged<'a>,
    k: usize,
    order: Order,
    probabilities: Option<Probabilities>,
}

/// How a cosine becomes a probability.
pub(crate) enum Probabilities {
    Softmax,
    Sigmoid(Sigmoid),
}

impl Probabilities {
    /// Those of a model with this sigmoid, or none.
    pub(crate) fn of(sigmoid: Option<Sigmoid>) -> Self {
        sigmoid.map_or(Probabilities::Softmax, Probabilities::Sigmoid)
    }
}

impl<'a> Ranking<'a> {
    /// Selects the tables of the options.
    ///
    /// # Errors
    /// Those of [`Tables::merged`], and of the model's weights.
    pub(super) fn new(args: &args::Rank, tables: &'a Tables) -> Result<Self, CliError> {
        let model = &tables.model;
        let (name, tables) = tables.merged(&args.table)?;
        let sigmoid = if args.probabilities { model.sigmoid()? } else { None };
        let probabilities = args.probabilities.then(|| Probabilities::of(sigmoid));
        Ok(Self::over(name, tables, args.k, args.reverse, probabilities))
    }

    /// Ranks `tables`, which are called `name`.
    pub(crate) fn over(
        name: String,
        tables: Merged<'a>,
        k: NonZeroUsize,
        reverse: bool,
        probabilities: Option<Probabilities>,
    ) -> Self {
        let order = if reverse { Order::Worst } else { Order::Best };
        Ranking { name, tables, k: k.get(), order, probabilities }
    }

    /// Returns the first labels of each image, with their tables if there are several.
    ///
    /// # Errors
    /// Those of [`Merged::rank_many`] and [`Merged::softmax`].
    pub(crate) fn rank(
        &self,
        features: &[Features],
    ) -> interrogate::Result<Vec<Vec<MatchJson<'a>>>> {
        let several = self.tables.tables().windows(2).any(|two| two[0].name() != two[1].name());
        let ranked = self.tables.rank_many(features, self.k, self.order)?;
        let mut all: Vec<_> = ranked.iter().map(|matches| found(matches, several)).collect();
        match &self.probabilities {
            None => {}
            Some(Probabilities::Softmax) => {
                for (matches, softmax) in all.iter_mut().zip(self.tables.softmax(features)?) {
                    for found in matches {
                        found.probability = Some(softmax.probability(found.score) as f32);
                    }
                }
            }
            Some(Probabilities::Sigmoid(sigmoid)) => {
                for found in all.iter_mut().flatten() {
                    found.probability = Some(sigmoid.probability(found.score) as f32);
                }
            }
        }
        Ok(all)
    }
}

/// Returns a match as a line of text: cosine, probability if there is one, label.
pub(super) fn line(found: &MatchJson<'_>) -> String {
    let label = crate::escape::line(found.label);
    match found.probability {
        Some(probability) => format!("{:7.4}  {probability:.6}  {label}", found.score),
        None => format!("{:7.4}  {label}", found.score),
    }
}

/// Matches as JSON objects, with the names of their tables if there are `several`.
pub(super) fn found<'a>(matches: &[Match<'a>], several: bool) -> Vec<MatchJson<'a>> {
    let found =
        |m: &Match<'a>| MatchJson { table: several.then_some(m.table), ..MatchJson::from(m) };
    matches.iter().map(found).collect()
}
