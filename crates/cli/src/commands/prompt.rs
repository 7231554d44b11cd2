//! `interrogate prompt`: one prompt an image.

use std::collections::BTreeMap;

use interrogate::Interrogator;
use interrogate::index::Match;
use interrogate::models::ModelSource;
use interrogate::prompt::Prompt;
use serde::Serialize;

use crate::args::{self, Format};
use crate::captions::Beginning;
use crate::fault::{Fault, Outcome};
use crate::output::Found;
use crate::talk::Talk;
use crate::{images, opening};

/// One answer as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    prompt: &'a str,
    caption: Option<&'a str>,
    medium: Option<Found<'a>>,
    movement: Option<Found<'a>>,
    flavors: Vec<Found<'a>>,
    /// The tables that the form does not have, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<&'a str, Vec<Found<'a>>>,
}

/// Prints a prompt for each image.
pub(crate) fn run(args: &args::Prompt, talk: &Talk) -> Result<Outcome, Fault> {
    let images = images::collect(&args.images.paths)?;
    if let Some(name) = &args.source.model.model {
        name.parse::<ModelSource>()?; // not told after a first pass of hours
    }
    let beginning = Beginning::open(args, &images, talk)?;
    let (model, index) = opening::model_and_index(&args.source, talk)?;
    let interrogator = Interrogator::new(&model, index)?;
    let min_score = args.min_score.or(model.min_score());
    let recipe = interrogator.recipe(args.max_flavors).with_min_score(min_score);
    let format = args.format.or(Format::Text);
    let look = |paths: &[_]| beginning.beside(paths, |pictures| interrogator.features(pictures));
    let at_once = args.images.batch_size;
    let outcome = super::each_image(&images, at_once, format, talk, look, |output, seen| {
        let (names, (features, captions)): (Vec<_>, (Vec<_>, Vec<_>)) = seen.into_iter().unzip();
        let captions: Vec<_> = captions.iter().map(Option::as_deref).collect();
        let prompts = interrogator.prompts(&features, &captions, &recipe)?;
        for (name, prompt) in names.iter().zip(&prompts) {
            match format {
                Format::Jsonl => output.json(&row(name, prompt))?,
                Format::Text if images.len() == 1 => output.line(&prompt.text)?,
                Format::Text => output.line(format_args!("{name}: {}", prompt.text))?,
            }
            if prompt.text.is_empty() {
                talk.note(format_args!(
                    "{name}: no label reaches {}; --min-score 0 shows what there is",
                    min_score.unwrap_or_default()
                ));
            }
        }
        Ok(())
    })?;
    beginning.finish(talk);
    Ok(outcome)
}

fn row<'a>(image: &'a str, prompt: &'a Prompt<'a>) -> Row<'a> {
    let found = |matches: &'a [Match<'a>]| matches.iter().map(Found::from).collect::<Vec<_>>();
    let others = prompt.picks.iter().filter(|pick| !FORM.contains(&pick.table));
    Row {
        image,
        prompt: &prompt.text,
        caption: prompt.caption.as_deref(),
        medium: prompt.picked("mediums").first().map(Found::from),
        movement: prompt.picked("movements").first().map(Found::from),
        flavors: found(prompt.picked("flavors")),
        tables: others.map(|pick| (pick.table, found(&pick.matches))).collect(),
    }
}

const FORM: [&str; 3] = ["mediums", "movements", "flavors"];
