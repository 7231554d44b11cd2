//! `interrogate prompt`: one prompt an image.

use std::collections::BTreeMap;

use interrogate::Interrogator;
use interrogate::index::Match;
use interrogate::models::ModelSource;
use interrogate::picture::{Picture, Pixels};
use interrogate::prompt::Prompt;
use serde::Serialize;

use crate::args::{self, Form};
use crate::captions::Beginning;
use crate::fault::{Fault, Outcome};
use crate::opening;
use crate::output::Found;
use crate::pass::{Item, Pass};
use crate::sink::{Answer, Column, Kind};
use crate::talk::Talk;

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

impl Answer for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "prompt", kind: Kind::Text, at: "prompt" },
        Column { name: "caption", kind: Kind::Text, at: "caption" },
        Column { name: "medium", kind: Kind::Text, at: "medium.label" },
        Column { name: "medium_score", kind: Kind::Number, at: "medium.score" },
        Column { name: "movement", kind: Kind::Text, at: "movement.label" },
        Column { name: "movement_score", kind: Kind::Number, at: "movement.score" },
        Column { name: "flavors", kind: Kind::Texts, at: "flavors.label" },
        Column { name: "flavor_scores", kind: Kind::Numbers, at: "flavors.score" },
        Column { name: "tables", kind: Kind::Json, at: "tables" },
    ];
    const KEYS: &'static [&'static str] = &["prompt", "flavors"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        if alone { self.prompt.to_owned() } else { format!("{}: {}", self.image, self.prompt) }
    }

    fn sidecar(&self) -> String {
        self.prompt.to_owned()
    }
}

/// What is made of a picture where it is decoded: what the tower takes of it, and
/// the captioner.
type Looked = (Pixels, Option<Pixels>);

/// Gives a prompt for each image.
pub(crate) fn run(args: &args::Prompt, talk: &Talk) -> Result<Outcome, Fault> {
    let pass = Pass::open::<Row<'_>>(&args.images, &args.output, Some(&args.sidecars), Form::Text)?;
    if let Some(name) = &args.source.model.model {
        name.parse::<ModelSource>()?; // not told after a first pass of hours
    }
    let Some(beginning) = Beginning::open(args, &pass, talk)? else {
        return Ok(Outcome { interrupted: true, ..Outcome::default() });
    };
    let (model, index) = opening::model_and_index(&args.source, talk)?;
    let interrogator = Interrogator::new(&model, index)?;
    let min_score = args.min_score.or(model.min_score());
    let recipe = interrogator.recipe(args.max_flavors).with_min_score(min_score);
    let (tower, preprocess) = (interrogator.tower(), beginning.preprocess());
    let look = |picture: &Picture| -> interrogate::Result<Looked> {
        let captioned = preprocess.map(|steps| steps.prepare(picture)).transpose()?;
        Ok((tower.prepare(picture)?, captioned))
    };
    let mut see = |items: &[Item<Looked>]| {
        let pixels: Vec<_> = items.iter().map(|item| &item.looked.0).collect();
        let captioned = items.iter().map(|item| (item.number, item.looked.1.as_ref()));
        let captions = beginning.of(&captioned.collect::<Vec<_>>())?;
        Ok(tower.encode_prepared(&pixels)?.into_iter().zip(captions).collect())
    };
    let outcome = pass.each::<Row<'_>, _, _>(talk, &look, &mut see, &mut |seen, answers| {
        let (names, (features, captions)): (Vec<_>, (Vec<_>, Vec<_>)) =
            seen.into_iter().map(|seen| (seen.name, seen.seen)).unzip();
        let captions: Vec<_> = captions.iter().map(Option::as_deref).collect();
        let prompts = interrogator.prompts(&features, &captions, &recipe)?;
        for (name, prompt) in names.iter().zip(&prompts) {
            answers.put(name, &row(&name.text, prompt))?;
            if prompt.text.is_empty() {
                talk.note(format_args!(
                    "{}: no label reaches {}; --min-score 0 shows what there is",
                    name.text,
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
