//! `interrogate rank --query`: the best labels of a weighted sum of images and texts.

use interrogate::Interrogator;
use interrogate::rank::Order;
use serde::Serialize;

use super::operands::{DecodedQuery, Towers};
use super::rank::found;
use crate::args::{self, Form};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
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
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    let interrogator = Interrogator::new(&model, index)?;
    let towers = Towers::open(&model, Some(interrogator.tower()), std::slice::from_ref(&query))?;
    let features = query.features(&towers)?;
    let names: Vec<&str> = args.table.iter().map(String::as_str).collect();
    let order = if args.reverse { Order::Worst } else { Order::Best };
    let table = interrogator.index().merged(&names)?;
    let ranked = table.rank_many(std::slice::from_ref(&features), args.k.get(), order)?;
    let matches = ranked.first().map_or(&[][..], Vec::as_slice);
    let mut output = Stdout::new();
    match args.output.format.unwrap_or(Form::Text) {
        Form::Jsonl => {
            let matches = found(matches, names.len() > 1);
            output.json(&Row { query: typed, table: &names.join(","), matches })?;
        }
        _ => {
            for found in matches {
                output.line(format_args!("{:7.4}  {}", found.score, found.label))?;
            }
        }
    }
    Ok(Outcome { done: 1, ..Outcome::default() })
}
