//! `interrogate embed images`: the features of images.

use super::row::Row;
use crate::args::{EmbedImages, Form};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::stream::ImageResult;

/// Writes the features of each image.
pub(super) fn run(args: &EmbedImages, logger: &Logger) -> Result<Outcome, CliError> {
    let files = Files::default().model(args.model.model.as_deref());
    let mut run = Run::open::<Row<'_>>(&args.images, &args.output, None, Form::Jsonl, files)?;
    let model = opening::model(&args.model, logger)?;
    run.describe(&model)?;
    let tower = model.image_encoder()?;
    run.write::<Row<'_>, _>(logger, &|picture| tower.prepare(picture), |batches, results| {
        for batch in batches {
            for ImageResult { name, result, .. } in batch.features(tower.as_ref()) {
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
