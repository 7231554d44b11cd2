//! `interrogate tag`: the tags of each image.

use std::path::PathBuf;

use interrogate::models::tagger_folder;
use interrogate::picture::Pixels;
use interrogate::prompt::{Part, Style};
use interrogate::tagger::{BACKGROUND, ScoredTag, Selection, Tagger, without_underscores};
use interrogate::{Compute, Device, Precision};
use serde::Serialize;

use crate::args::{self, Form, Place, TagChoice};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, Record, text_line};
use crate::run::Run;
use crate::shards::Shards;
use crate::stream::ImageResult;

/// The tags of an image as a JSON object. Names are those of the tagger's file.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    image: &'a str,
    /// The tags as they are written.
    tags: &'a str,
    rating: Option<TagJson<'a>>,
    characters: Vec<TagJson<'a>>,
    general: Vec<TagJson<'a>>,
}

/// A tag as a JSON object.
#[derive(Serialize)]
struct TagJson<'a> {
    tag: &'a str,
    score: f32,
}

impl<'a> From<ScoredTag<'a>> for TagJson<'a> {
    fn from(found: ScoredTag<'a>) -> Self {
        TagJson { tag: found.name, score: found.score }
    }
}

impl<'a> Row<'a> {
    /// The row of `image`; `tags` are the tags as they are written.
    pub(crate) fn new(image: &'a str, tags: &'a str, found: Selection<'a>) -> Self {
        Row {
            image,
            tags,
            rating: found.rating.map(Into::into),
            characters: found.characters.into_iter().map(Into::into).collect(),
            general: found.general.into_iter().map(Into::into).collect(),
        }
    }
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "tags", kind: Kind::Text, at: "tags" },
        Column { name: "rating", kind: Kind::Text, at: "rating.tag" },
        Column { name: "rating_score", kind: Kind::Number, at: "rating.score" },
        Column { name: "characters", kind: Kind::Texts, at: "characters.tag" },
        Column { name: "character_scores", kind: Kind::Numbers, at: "characters.score" },
        Column { name: "general", kind: Kind::Texts, at: "general.tag" },
        Column { name: "general_scores", kind: Kind::Numbers, at: "general.score" },
    ];
    const KEYS: &'static [&'static str] = &["tags", "rating", "characters", "general"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        text_line(self.image, self.tags, alone)
    }

    fn sidecar(&self) -> String {
        self.tags.to_owned()
    }
}

/// Writes the tags of each image.
pub(crate) fn run(args: &args::Tag, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().model(Some(&args.model));
    if let Some(folder) = &args.shards.shards {
        let shards = Shards::open(&args.images, folder, args.shards.part, files)?;
        let mut settings = shards.settings();
        settings.model("the tagger", &tagger_path(&args.model, logger)?)?;
        let mut jobs = shards.jobs(&settings, logger);
        if let Some(first) = jobs.next::<Row<'_>>()? {
            let tagger = open(args, logger)?;
            jobs.write::<Row<'_>>(first, |run| write(run, &tagger, args, logger))?;
        }
        return jobs.finish();
    }
    let sidecars = Some(&args.sidecars);
    let run = Run::open::<Row<'_>>(&args.images, &args.output, sidecars, Form::Text, files)?;
    write(run, &open(args, logger)?, args, logger)
}

/// Returns the folder of the tagger, and downloads it if it is on a hub.
fn tagger_path(model: &str, logger: &Logger) -> Result<PathBuf, CliError> {
    let fetched =
        opening::fetching(logger, |options, progress| tagger_folder(model, options, progress));
    Ok(fetched?)
}

fn open(args: &args::Tag, logger: &Logger) -> Result<Tagger, CliError> {
    open_on(&args.model, args.device.resolve(logger), args.precision, logger)
}

/// Opens the tagger `model`, and downloads it if it is on a hub.
pub(crate) fn open_on(
    model: &str,
    device: Device,
    precision: Option<Precision>,
    logger: &Logger,
) -> Result<Tagger, CliError> {
    device.check()?; // before any download
    let compute = Compute { precision, device, ..Compute::default() };
    Ok(Tagger::open(&tagger_path(model, logger)?, &compute)?)
}

/// Writes the tags of the images of `run`.
fn write(
    run: Run,
    tagger: &Tagger,
    args: &args::Tag,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let choice = &args.choice;
    let style = Style { separator: Some(choice.separator.clone()), ..args.wording.style() };
    run.on_background(BACKGROUND).write::<Row<'_>, _>(
        logger,
        &|picture| tagger.prepare(picture),
        |batches, results| {
            for batch in batches {
                let scored = batch.encode(|images| {
                    let pixels: Vec<&Pixels> = images.iter().map(|image| &image.prepared).collect();
                    tagger.score_prepared(&pixels)
                });
                for ImageResult { name, result, .. } in scored {
                    match result {
                        Ok(scores) => {
                            let found = tagger.select(&scores, &choice.thresholds());
                            let found = chosen(found, choice);
                            let tags = written(&found, choice, &style);
                            results.write(&name, &Row::new(&name.text, &tags, found))?;
                        }
                        Err(error) => results.failed(&name, &error)?,
                    }
                }
                results.commit()?;
            }
            Ok(())
        },
    )
}

/// Leaves out the tags that `choice` excludes.
pub(crate) fn chosen<'a>(mut found: Selection<'a>, choice: &TagChoice) -> Selection<'a> {
    found.rating = found.rating.filter(|tag| !choice.excludes(tag.name));
    found.characters.retain(|tag| !choice.excludes(tag.name));
    found.general.retain(|tag| !choice.excludes(tag.name));
    found
}

/// Returns the tags as one text: general ones, then characters, each best first.
pub(crate) fn written(found: &Selection<'_>, choice: &TagChoice, style: &Style) -> String {
    let rating = |place| found.rating.iter().filter(move |_| choice.rating == Some(place));
    let (mut first, mut second) = (&found.general, &found.characters);
    if choice.characters_first {
        std::mem::swap(&mut first, &mut second);
    }
    let tags = rating(Place::First).chain(first).chain(second).chain(rating(Place::Last));
    let name = |tag: &ScoredTag<'_>| {
        if choice.replace_underscores { without_underscores(tag.name) } else { tag.name.to_owned() }
    };
    style.join(&tags.map(|tag| Part::words(&name(tag))).collect::<Vec<_>>())
}
