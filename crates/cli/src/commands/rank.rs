//! `interrogate rank`: the best labels of one table.

use interrogate::Interrogator;
use interrogate::rank::Order;
use serde::Serialize;

use crate::args::{self, Format};
use crate::fault::{Fault, Outcome};
use crate::output::Found;
use crate::talk::Talk;
use crate::{batch, images, opening};

/// One answer as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    table: &'a str,
    matches: Vec<Found<'a>>,
}

/// Prints the best labels of each image.
pub(crate) fn run(args: &args::Rank, talk: &Talk) -> Result<Outcome, Fault> {
    let images = images::collect(&args.paths)?;
    let (model, index) = opening::model_and_index(&args.source, talk)?;
    let interrogator = Interrogator::new(&model, index)?;
    let names: Vec<&str> = args.table.iter().map(String::as_str).collect();
    let table = interrogator.index().merged(&names)?;
    let name = names.join(",");
    let order = if args.reverse { Order::Worst } else { Order::Best };
    let format = args.format.or(Format::Text);
    let look = |paths: &[_]| batch::look(paths, |p| interrogator.features(p));
    super::each_image(&images, args.batch_size, format, talk, look, |output, seen| {
        let (images, features): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let ranked = table.rank_many(&features, args.k, order)?;
        for (image, matches) in images.iter().zip(&ranked) {
            match format {
                Format::Jsonl => {
                    let several = names.len() > 1;
                    let found = matches
                        .iter()
                        .map(|m| Found { table: several.then_some(m.table), ..Found::from(m) });
                    output.json(&Row { image, table: &name, matches: found.collect() })?;
                }
                Format::Text => {
                    output.line(image)?;
                    for found in matches {
                        output.line(format_args!("  {:7.4}  {}", found.score, found.label))?;
                    }
                }
            }
        }
        Ok(())
    })
}
