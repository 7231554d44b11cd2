//! `interrogate rank --query`: the best labels of a weighted sum of images and texts.

use serde::Serialize;

use super::operands::{DecodedQuery, Towers};
use super::rank::{Ranking, line};
use super::tables::Tables;
use crate::args::{self, Form};
use crate::error::CliError;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{MatchJson, Stdout};

/// The ranking as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    query: &'a str,
    table: &'a str,
    matches: Vec<MatchJson<'a>>,
}

/// Prints the best labels of the sum `typed`.
pub(crate) fn run(args: &args::Rank, typed: &str, logger: &Logger) -> Result<Outcome, CliError> {
    let query = typed.parse()?;
    super::require_lines(&args.output)?;
    // An invalid image fails before the model is opened.
    let query = DecodedQuery::open(query, args.images.decoding)?;
    let tables = Tables::open(&args.source, &args.list, args.table.is_empty(), logger)?;
    let ranking = Ranking::new(args, &tables)?;
    let images = query.has_images().then(|| tables.model.image_encoder()).transpose()?;
    let towers = Towers::open(&tables.model, images.as_deref(), std::slice::from_ref(&query))?;
    let features = query.features(&towers)?;
    let matches = ranking.rank(std::slice::from_ref(&features))?.pop().unwrap_or_default();
    let mut output = Stdout::new();
    match args.output.format.unwrap_or(Form::Text) {
        Form::Jsonl => output.json(&Row { query: typed, table: &ranking.name, matches })?,
        _ => {
            for found in &matches {
                output.line(line(found))?;
            }
        }
    }
    Ok(Outcome { done: 1, ..Outcome::default() })
}
