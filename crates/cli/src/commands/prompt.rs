//! `interrogate prompt`: one prompt an image, or one for all.

use std::collections::BTreeMap;
use std::path::Path;

use build_index::terminal::library_hint;
use interrogate::encoder::Features;
use interrogate::index::{Index, Match};
use interrogate::models::{Model, ModelSource};
use interrogate::picture::{Picture, Pixels};
use interrogate::prompt::{Mode, Prompt};
use interrogate::{Error, Interrogator};
use serde::Serialize;

use crate::args::{self, Form};
use crate::asking::Asked;
use crate::captions::Beginning;
use crate::chain_progress::ChainProgress;
use crate::error::CliError;
use crate::files::Files;
use crate::interrupt;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, MatchJson, Record, Stdout};
use crate::pass::{self, Item, Pass};
use crate::report::{self, Heading, Report, Sheet, Thumbnail};

/// Labels of each table that a report shows, where the prompt takes fewer.
const SHOWN: usize = 5;

/// One answer as a JSON object.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    prompt: &'a str,
    mode: &'static str,
    /// The whole prompt's cosine with the image, where its mode asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// What the best prompt was chosen from.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<&'static str>,
    caption: Option<&'a str>,
    medium: Option<MatchJson<'a>>,
    movement: Option<MatchJson<'a>>,
    flavors: Vec<MatchJson<'a>>,
    /// The tables that the form does not have, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<&'a str, Vec<MatchJson<'a>>>,
}

impl Record for Row<'_> {
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
        Column { name: "mode", kind: Kind::Text, at: "mode" },
        Column { name: "score", kind: Kind::Number, at: "score" },
    ];
    const KEYS: &'static [&'static str] = &["prompt", "flavors"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        match alone {
            true => self.prompt.to_owned(),
            false => format!("{}: {}", crate::escape::line(self.image), self.prompt),
        }
    }

    fn sidecar(&self) -> String {
        self.prompt.to_owned()
    }
}

/// What is made of a picture where it is decoded: what the tower takes of it, the
/// captioner, and a report.
type Looked = (Pixels, Option<Pixels>, Option<Thumbnail>);

/// Gives a prompt for each image, or one for all of them.
pub(crate) fn run(args: &args::Prompt, logger: &Logger) -> Result<Outcome, CliError> {
    args.report.as_deref().map(report::place).transpose()?;
    let (files, sidecars) = (files(args), Some(&args.sidecars));
    let mut pass = Pass::open::<Row<'_>>(&args.images, &args.output, sidecars, Form::Text, files)?;
    if let Some(name) = &args.source.model.model {
        name.parse::<ModelSource>()?; // not told after a first pass of hours
    }
    let Some(beginning) = Beginning::open(args, &pass, logger)? else {
        return Ok(Outcome { interrupted: true, ..Outcome::default() });
    };
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    pass.asks(&index)?;
    let interrogator = Interrogator::new(&model, index)?;
    let asked = Asked::open(args, &model, interrogator.index(), logger)?;
    if args.average {
        return average(args, pass, &interrogator, &asked, logger);
    }
    let mode = asked.interrogation.options().mode;
    let sheet = match &args.report {
        Some(path) => Some(begin(path, &model, interrogator.index(), mode)?),
        None => None,
    };
    let (tower, preprocess) = (interrogator.tower(), beginning.preprocess());
    let look = |picture: &Picture| -> interrogate::Result<Looked> {
        let captioned = preprocess.map(|steps| steps.prepare(picture)).transpose()?;
        let thumbnail = args.report.as_ref().and_then(|_| Thumbnail::of(picture));
        Ok((tower.prepare(picture)?, captioned, thumbnail))
    };
    let mut see = |items: &[Item<Looked>]| {
        let pixels: Vec<_> = items.iter().map(|item| &item.looked.0).collect();
        let captioned = items.iter().map(|item| (item.number, item.looked.1.as_ref()));
        let captions = beginning.of(&captioned.collect::<Vec<_>>())?;
        Ok(tower.encode_prepared(&pixels)?.into_iter().zip(captions).collect())
    };
    // A chain takes seconds: each is answered as it comes.
    let pass = if mode.scores_texts() { pass.by(1) } else { pass };
    let chain = ChainProgress::new(logger);
    let outcome = pass.each_told::<Row<'_>, _, _>(
        logger,
        &look,
        &mut see,
        &mut |seen, answers| {
            let (features, captions): (Vec<Features>, Vec<Option<String>>) =
                seen.iter().map(|seen| seen.seen.clone()).unzip();
            let captions: Vec<_> = captions.iter().map(Option::as_deref).collect();
            let prompts =
                asked.interrogation.prompts(&features, &captions, |_, step| chain.step(step));
            chain.end();
            let prompts = prompts?;
            let texts: Vec<String> = prompts.iter().map(|prompt| asked.text(prompt)).collect();
            for ((seen, prompt), text) in seen.iter().zip(&prompts).zip(&texts) {
                let name = &seen.name;
                answers.push(name, &row(&name.text, text, mode, prompt))?;
                if text.is_empty() {
                    logger.note(empty(&name.text, &asked));
                }
            }
            if let Some(sheet) = &sheet {
                let shown = asked.interrogation.picks(&features, SHOWN)?;
                for (at, seen) in seen.iter().enumerate() {
                    let said = (prompts[at].caption.as_deref(), texts[at].as_str());
                    sheet.answer(&seen.name.text, seen.looked.2.as_ref(), said, &shown[at])?;
                }
            }
            Ok(())
        },
        &mut |name, error| match &sheet {
            Some(sheet) => sheet.failed(&name.text, error),
            None => Ok(()),
        },
    )?;
    beginning.finish(logger);
    if let (Some(sheet), Some(path)) = (sheet, &args.report) {
        let _page = interrupt::Work::finish_file();
        sheet.finish()?;
        logger.note(format_args!("report: {}", path.display()));
    }
    Ok(outcome)
}

/// What is read and written beside images and answers.
fn files(args: &args::Prompt) -> Files {
    let mut files = Files::default().source(&args.source).model(args.caption_model.as_deref());
    if let Some(path) = &args.control.deny {
        files = files.reading(path, "the deny list");
    }
    for list in &args.control.list {
        files = files.reading(&list.path, "a list of labels");
    }
    match &args.report {
        Some(path) => files.writing(path, "the report"),
        None => files,
    }
}

/// One prompt for all images, by the mean of their features.
fn average(
    args: &args::Prompt,
    pass: Pass,
    interrogator: &Interrogator,
    asked: &Asked<'_>,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    super::lines_alone(&args.output)?;
    let (tower, mut outcome) = (interrogator.tower(), Outcome::default());
    let mut all = Vec::new();
    let whole =
        pass.batches(&|picture| tower.prepare(picture), &mut pass::features(tower), |came| {
            for came in came {
                match came.result {
                    Ok((_, features)) => all.push(features),
                    Err(error) => {
                        outcome.failed += 1;
                        logger.error(&error, library_hint(&error));
                    }
                }
            }
            Ok(())
        })?;
    pass.tell_skipped(logger);
    outcome.done = all.len();
    if !whole || all.is_empty() {
        return Ok(Outcome { interrupted: !whole, ..outcome });
    }
    let mean = Features::mean(&all)?;
    let chain = ChainProgress::new(logger);
    let captions = [args.caption.as_deref()];
    let prompts = asked.interrogation.prompts(&[mean], &captions, |_, step| chain.step(step));
    chain.end();
    let prompts = match prompts {
        Err(Error::Interrupted) => return Ok(Outcome { interrupted: true, ..outcome }),
        prompts => prompts?,
    };
    let name = format!("average of {} images", all.len());
    for prompt in &prompts {
        let text = asked.text(prompt);
        let row = row(&name, &text, asked.interrogation.options().mode, prompt);
        match args.output.format.unwrap_or(Form::Text) {
            Form::Jsonl => Stdout::new().json(&row)?,
            _ => Stdout::new().line(&text)?,
        }
        if text.is_empty() {
            logger.note(empty(&name, asked));
        }
    }
    Ok(outcome)
}

/// Why there is no prompt.
fn empty(name: &str, asked: &Asked<'_>) -> String {
    let least = asked.interrogation.options().min_score;
    match least {
        Some(least) => {
            format!("{name}: no label reaches {least}; --min-score 0 shows what there is")
        }
        None => format!("{name}: an empty prompt"),
    }
}

/// Begins the page at `path`.
fn begin(path: &Path, model: &Model, index: &Index, mode: Mode) -> Result<Sheet, CliError> {
    let heading = Heading {
        model: &model.id(),
        index: &index.path().to_string_lossy(),
        mode: mode.name(),
        tables: index.tables().iter().map(|table| (table.name(), table.len())).collect(),
        // CLIP's cosines of images and texts stay below 0.4; a model that names the
        // least score to be trusted has others.
        scale: if model.min_score().is_some() { 1.0 } else { 0.4 },
        notice: model.notice(),
    };
    Ok(Sheet::new(Report::create(path, &heading)?, mode.name()))
}

fn row<'a>(image: &'a str, text: &'a str, mode: Mode, prompt: &'a Prompt<'a>) -> Row<'a> {
    let found = |matches: &'a [Match<'a>], several: bool| {
        let named =
            |m: &Match<'a>| MatchJson { table: several.then_some(m.table), ..MatchJson::from(m) };
        matches.iter().map(named).collect::<Vec<_>>()
    };
    let others = prompt.picks.iter().filter(|pick| !FORM.contains(&pick.table));
    let others =
        others.map(|pick| (pick.table, found(&pick.matches, pick.table == interrogate::LABELS)));
    Row {
        image,
        prompt: text,
        mode: mode.name(),
        score: prompt.score,
        chosen: prompt.chosen.map(|mode| if mode == Mode::Best { "chain" } else { mode.name() }),
        caption: prompt.caption.as_deref(),
        medium: prompt.picked("mediums").first().map(MatchJson::from),
        movement: prompt.picked("movements").first().map(MatchJson::from),
        flavors: found(prompt.picked("flavors"), false),
        tables: others.collect(),
    }
}

const FORM: [&str; 3] = ["mediums", "movements", "flavors"];
