//! `interrogate prompt`: one prompt an image.

use std::collections::BTreeMap;
use std::path::Path;

use interrogate::Interrogator;
use interrogate::index::{Index, Match};
use interrogate::models::{Model, ModelSource};
use interrogate::prompt::Prompt;
use serde::Serialize;

use crate::args::{self, Format};
use crate::captions::Beginning;
use crate::fault::{Fault, Outcome};
use crate::output::Found;
use crate::report::{self, Heading, Report, Sheet};
use crate::talk::Talk;
use crate::{images, opening};

/// Labels of each table that a report shows, where the prompt takes fewer.
const SHOWN: usize = 5;

/// How a report calls the form of these prompts.
const MODE: &str = "seed";

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
    args.report.as_deref().map(report::place).transpose()?;
    let beginning = Beginning::open(args, &images, talk)?;
    let (model, index) = opening::model_and_index(&args.source, talk)?;
    let interrogator = Interrogator::new(&model, index)?;
    let min_score = args.min_score.or(model.min_score());
    let recipe = interrogator.recipe(args.max_flavors).with_min_score(min_score);
    let format = args.format.or(Format::Text);
    let sheet = match &args.report {
        Some(path) => Some(begin(path, &model, interrogator.index())?),
        None => None,
    };
    let shown = recipe.clone().with_at_least(SHOWN);
    let look = |paths: &[_]| {
        let seen = beginning.beside(paths, |pictures| {
            let features = interrogator.features(pictures)?.into_iter();
            Ok(match &sheet {
                Some(sheet) => features.zip(sheet.thumbnails(pictures)).collect(),
                None => features.map(|features| (features, None)).collect(),
            })
        });
        sheet.iter().for_each(|sheet| sheet.note(paths, &seen));
        seen
    };
    let at_once = args.images.batch_size;
    let outcome = super::each_image(&images, at_once, format, talk, look, |output, seen| {
        let (names, (seen, captions)): (Vec<_>, (Vec<_>, Vec<_>)) = seen.into_iter().unzip();
        let (features, thumbnails): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
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
        if let Some(sheet) = &sheet {
            let shown = interrogator.prompts(&features, &[], &shown)?;
            for (at, name) in names.iter().enumerate() {
                sheet.answer(name, thumbnails[at].as_ref(), &prompts[at], &shown[at].picks)?;
            }
        }
        Ok(())
    })?;
    beginning.finish(talk);
    if let (Some(sheet), Some(path)) = (sheet, &args.report) {
        sheet.finish()?;
        talk.note(format_args!("report: {}", path.display()));
    }
    Ok(outcome)
}

/// Begins the page at `path`.
fn begin(path: &Path, model: &Model, index: &Index) -> Result<Sheet, Fault> {
    let heading = Heading {
        model: &model.id(),
        index: &index.path().to_string_lossy(),
        mode: MODE,
        tables: index.tables().iter().map(|table| (table.name(), table.len())).collect(),
        // CLIP's cosines of images and texts stay below 0.4; a model that names the
        // least score to be trusted has others.
        scale: if model.min_score().is_some() { 1.0 } else { 0.4 },
        notice: model.notice(),
    };
    Ok(Sheet::new(Report::create(path, &heading)?, MODE))
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
