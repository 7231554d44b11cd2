//! Prompts in shards: `--shards`.

use std::path::Path;

use interrogate::Interrogator;
use interrogate::models::ModelSource;

use super::files::files;
use super::plan::PromptPlan;
use super::row::Row;
use super::write;
use crate::args;
use crate::captions::{CaptionModel, CaptionSource};
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::shards::Shards;

/// Writes the prompts of each input into a file in `folder`.
pub(super) fn run(
    args: &args::Prompt,
    folder: &Path,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    let shards = Shards::open(&args.images, folder, args.shards.part, files(args))?;
    if let Some(name) = &args.source.model.model {
        name.parse::<ModelSource>()?; // an invalid name fails before anything is opened
    }
    let (model, index) = opening::model_and_index(&args.source, logger)?;
    let mut settings = shards.settings();
    settings.index(&index)?;
    if let Some(path) = &args.control.deny {
        settings.file("the deny list", path)?;
    }
    for list in &args.control.list {
        settings.file(&format!("the list {}", list.path.display()), &list.path)?;
    }
    let captioner = args.caption_model.as_ref();
    let captioner = captioner.map(|name| CaptionModel::folder(name, logger)).transpose()?;
    if let Some(path) = &captioner {
        settings.model("the caption model", path)?;
    }
    let mut jobs = shards.jobs(&settings, logger);
    if let Some(first) = jobs.next::<Row<'_>>()? {
        let captions = CaptionSource::in_one_pass(args, logger)?;
        let interrogator = Interrogator::new(&model, index)?;
        let plan = PromptPlan::open(args, &model, interrogator.index(), logger)?;
        jobs.write::<Row<'_>>(first, |run| {
            write(run, &interrogator, &captions, &plan, None, logger)
        })?;
        captions.log_speed(logger);
    }
    jobs.finish()
}
