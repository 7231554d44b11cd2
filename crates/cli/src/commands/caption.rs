//! `interrogate caption`: one caption for each image.

use serde::Serialize;

use crate::args::{self, Form};
use crate::captions::CaptionModel;
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::{Column, Kind, Record, text_line};
use crate::run::Run;
use crate::shards::Shards;
use crate::stream::ImageResult;

/// A caption as a JSON object.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) image: &'a str,
    pub(crate) caption: &'a str,
    /// The generated tokens, the end-of-text token included.
    pub(crate) tokens: &'a [u32],
}

impl Record for Row<'_> {
    const COLUMNS: &'static [Column] = &[
        Column { name: "caption", kind: Kind::Text, at: "caption" },
        Column { name: "tokens", kind: Kind::Integers, at: "tokens" },
    ];
    const KEYS: &'static [&'static str] = &["caption", "tokens"];

    fn image(&self) -> &str {
        self.image
    }

    fn text(&self, alone: bool) -> String {
        text_line(self.image, self.caption, alone)
    }

    fn sidecar(&self) -> String {
        self.caption.to_owned()
    }
}

/// Writes the caption of each image.
pub(crate) fn run(args: &args::Caption, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().model(Some(&args.caption_model));
    if let Some(folder) = &args.shards.shards {
        let shards = Shards::open(&args.images, folder, args.shards.part, files)?;
        let mut settings = shards.settings();
        let captioner = CaptionModel::folder(&args.caption_model, logger)?;
        settings.model("the caption model", &captioner)?;
        let mut jobs = shards.jobs(&settings, logger);
        if let Some(first) = jobs.next::<Row<'_>>()? {
            let model = open(args, logger)?;
            jobs.write::<Row<'_>>(first, |run| write(run, &model, args, logger))?;
            model.log_speed(logger);
        }
        return jobs.finish();
    }
    let sidecars = Some(&args.sidecars);
    let run = Run::open::<Row<'_>>(&args.images, &args.output, sidecars, Form::Text, files)?;
    let model = open(args, logger)?;
    let outcome = write(run, &model, args, logger)?;
    model.log_speed(logger);
    Ok(outcome)
}

fn open(args: &args::Caption, logger: &Logger) -> Result<CaptionModel, CliError> {
    let device = args.device.resolve(logger);
    CaptionModel::open(&args.caption_model, &args.search, device, logger)
}

/// Writes the captions of the images of `run`.
fn write(
    run: Run,
    model: &CaptionModel,
    args: &args::Caption,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let (preprocess, style) = (model.preprocess(), args.wording.style());
    run.write::<Row<'_>, _>(logger, &|picture| preprocess.prepare(picture), |batches, results| {
        for batch in batches {
            for ImageResult { name, result, .. } in model.caption_batch(batch) {
                match result {
                    Ok(caption) => {
                        let text = style.write_text(&caption.text);
                        let (caption, tokens) = (&*text, &*caption.tokens);
                        results.write(&name, &Row { image: &name.text, caption, tokens })?;
                    }
                    Err(error) => results.failed(&name, &error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}
