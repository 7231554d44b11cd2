//! `interrogate rank --query`: the best labels of a weighted sum of images and texts.

use interrogate::Interrogator;
use interrogate::encoder::TextEncoder;
use interrogate::picture::Picture;
use interrogate::query::{Operand, Query};
use interrogate::rank::Order;
use serde::Serialize;

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
    let query: Query = typed.parse()?;
    super::require_lines(&args.output)?;
    // An invalid image fails before the model is opened.
    let pictures: Vec<Picture> =
        query.images().map(|path| args.images.decoding.open(path)).collect::<Result<_, _>>()?;
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    let interrogator = Interrogator::new(&model, index)?;
    let texts = match query.texts().next() {
        Some(_) => Some(model.text_encoder()?),
        None => None,
    };
    let mut pictures = pictures.into_iter();
    let features = query.features(|operand| match (operand, &texts) {
        (Operand::Text(text), Some(encoder)) => {
            Ok(TextEncoder::encode(encoder.as_ref(), &[text])?.as_slice().to_vec())
        }
        // One picture for each image operand, in order.
        _ => {
            let picture: Vec<Picture> = pictures.next().into_iter().collect();
            let features = interrogator.features(&picture)?;
            Ok(features.first().map_or_else(Vec::new, |features| features.as_slice().to_vec()))
        }
    })?;
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
