//! `interrogate embed images`: the features of images.

use interrogate::encoder::ImageEncoder;

use super::row::Row;
use crate::args::{EmbedImages, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::shards::Shards;
use crate::stream::ImageResult;

/// Writes the features of each image.
pub(super) fn run(args: &EmbedImages, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().model(args.model.model.as_deref());
    if let Some(folder) = &args.shards.shards {
        let shards = Shards::open(&args.images, folder, args.shards.part, files)?;
        let model = opening::model(&args.model, logger)?;
        let mut settings = shards.settings();
        settings.add("the model", model.fingerprint()?);
        let mut jobs = shards.jobs(&settings, logger);
        if let Some(first) = jobs.next::<Row<'_>>()? {
            let tower = model.image_encoder()?;
            jobs.write::<Row<'_>>(first, |run| write(run, tower.as_ref(), logger))?;
        }
        return jobs.finish();
    }
    let mut run = Run::open::<Row<'_>>(&args.images, &args.output, None, Form::Jsonl, files)?;
    let model = opening::model(&args.model, logger)?;
    run.describe(&model)?;
    let tower = model.image_encoder()?;
    write(run, tower.as_ref(), logger)
}

/// Writes the features of the images of `run`.
fn write(run: Run, tower: &dyn ImageEncoder, logger: &Logger) -> Result<Outcome, CliError> {
    run.write::<Row<'_>, _>(logger, &|picture| tower.prepare(picture), |batches, results| {
        for batch in batches {
            for ImageResult { name, result, .. } in batch.features(tower) {
                match result {
                    Ok(features) => {
                        results.write(&name, &Row::of_image(&name.text, features.as_slice()))?;
                    }
                    Err(error) => results.failed(&name, &error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}
