//! `interrogate search`: the images that fit texts best, by features computed before.

mod features_file;

use interrogate::index::{Match, Merged, TableRef};
use interrogate::query::Query;
use interrogate::rank::Order;
use serde::Serialize;

use super::operands::{DecodedQuery, Towers};
use super::texts;
use crate::args::{Format, SearchImages};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::Stdout;
use features_file::FeaturesFile;

/// The images of one query as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    query: &'a str,
    matches: Vec<Image<'a>>,
}

/// An image that was found.
#[derive(Serialize)]
struct Image<'a> {
    image: &'a str,
    score: f32,
    row: usize,
}

/// Prints the images that fit each query best, with their cosines, the largest first; equal ones
/// in the order of the rows.
pub(crate) fn run(args: &SearchImages, logger: &Logger) -> Result<Outcome, CliError> {
    // Invalid arguments and files fail before the model is opened.
    let file = FeaturesFile::open(&args.features)?;
    let (typed, queries) = queries(args)?;
    let model = opening::recorded_model(file.model(), &args.model, logger)?;
    file.check_model(&model)?;
    let table = file.read()?.on(model.compute().device)?;
    let images = queries.iter().any(DecodedQuery::has_images);
    let images = images.then(|| model.image_encoder()).transpose()?;
    let towers = Towers::open(&model, images.as_deref(), &queries)?;
    let features = queries.iter().map(|query| query.features(&towers));
    let features = features.collect::<Result<Vec<_>, _>>()?;
    let merged = Merged::new(vec![TableRef::Custom(&table)])?;
    let ranked = merged.rank_many(&features, args.k.get(), Order::Best)?;
    let (mut output, alone) = (Stdout::new(), typed.len() == 1);
    for (query, matches) in typed.iter().zip(&ranked) {
        match args.format.or(Format::Text) {
            Format::Jsonl => output.json(&Row::new(query, matches))?,
            Format::Text => print(&mut output, query, matches, alone)?,
        }
    }
    Ok(Outcome { done: typed.len(), ..Outcome::default() })
}

/// Returns the queries as typed, texts first, and with their images decoded.
fn queries(args: &SearchImages) -> Result<(Vec<String>, Vec<DecodedQuery>), CliError> {
    let texts = texts::read(&args.texts)?;
    let mut queries: Vec<Query> = texts.iter().map(|text| Query::text(text)).collect();
    for typed in &args.query {
        queries.push(typed.parse()?);
    }
    let open = |query| DecodedQuery::open(query, args.decoding);
    let queries = queries.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    Ok((texts.into_iter().chain(args.query.iter().cloned()).collect(), queries))
}

/// Prints the images of one query; below the query unless it is `alone`.
fn print(
    output: &mut Stdout,
    query: &str,
    matches: &[Match<'_>],
    alone: bool,
) -> Result<(), CliError> {
    let indent = if alone { "" } else { "  " };
    if !alone {
        output.line(crate::escape::line(query))?;
    }
    for found in matches {
        let image = crate::escape::line(found.label);
        output.line(format_args!("{indent}{:7.4}  {image}", found.score))?;
    }
    Ok(())
}

impl<'a> Row<'a> {
    fn new(query: &'a str, matches: &[Match<'a>]) -> Self {
        let image =
            |&Match { label, score, row, .. }: &Match<'a>| Image { image: label, score, row };
        Row { query, matches: matches.iter().map(image).collect() }
    }
}
