//! `interrogate prompt`: one prompt for each image, or one for all.

mod average;
mod chain_progress;
mod encode;
mod files;
mod first_run;
mod form;
mod plan;
mod row;
mod shards;

use std::path::Path;

use interrogate::Interrogator;
use interrogate::index::{Index, TableRef};
use interrogate::models::{Model, ModelSource};

use crate::args::{self, Form};
use crate::captions::CaptionSource;
use crate::commands::report;
use crate::error::CliError;
use crate::logger::Logger;
use crate::opening::{self, Opened};
use crate::outcome::Outcome;
use crate::report::{Report, check_path};
use crate::run::Run;
use crate::stream::ImageResult;
use chain_progress::ChainProgress;
use encode::{Preparation, encode};
use files::files;
use first_run::FirstIndex;
#[cfg_attr(not(feature = "serve"), expect(unused_imports))]
pub(crate) use form::Form as PromptForm;
use plan::{PromptPlan, WrittenPrompt};
pub(crate) use row::Row;

/// Writes a prompt for each image, or prints one for all of them.
pub(crate) fn run(args: &args::Prompt, logger: &Logger) -> Result<Outcome, CliError> {
    if let Some(folder) = &args.shards.shards {
        return shards::run(args, folder, logger);
    }
    args.report.as_deref().map(check_path).transpose()?;
    let (files, sidecars) = (files(args), Some(&args.sidecars));
    let run = Run::open::<Row<'_>>(&args.images, &args.output, sidecars, Form::Text, files)?;
    if let Some(name) = &args.source.model.model {
        name.parse::<ModelSource>()?; // an invalid name fails before the captions are made
    }
    let Some(captions) = CaptionSource::open(args, &run, logger)? else {
        return Ok(Outcome { interrupted: true, ..Outcome::default() });
    };
    let unbuilt = match opening::find(&args.source, logger)? {
        Opened::Index(model, index) => {
            return prompts(args, run, &captions, (&model, index), logger);
        }
        Opened::Unbuilt(unbuilt) => unbuilt,
    };
    let Some(FirstIndex { index, folder }) = FirstIndex::build(&unbuilt, args, &run)? else {
        let (model, index) = unbuilt.build(logger)?;
        return prompts(args, run, &captions, (&model, index), logger);
    };
    let outcome = prompts(args, run, &captions, (&unbuilt.model, index), logger)?;
    drop(folder);
    if !outcome.interrupted && outcome.done > 0 {
        unbuilt.build(logger)?;
    }
    Ok(outcome)
}

/// Writes the prompts with the labels of `index`.
fn prompts(
    args: &args::Prompt,
    mut run: Run,
    captions: &CaptionSource,
    (model, index): (&Model, Index),
    logger: &Logger,
) -> Result<Outcome, CliError> {
    run.record_indexes(std::slice::from_ref(&index))?;
    let interrogator = Interrogator::new(model, index)?;
    let plan = PromptPlan::open(args, model, interrogator.index(), logger)?;
    if args.average {
        return average::run(args, &run, &interrogator, &plan, logger);
    }
    let index = interrogator.index();
    let tables: Vec<_> = index.tables().iter().map(TableRef::Indexed).collect();
    let create =
        |path: &Path| report::create(path, model, (index.path(), &tables), plan.mode().name());
    let mut report = args.report.as_deref().map(create).transpose()?;
    let outcome = write(run, &interrogator, captions, &plan, report.as_mut(), logger)?;
    captions.log_speed(logger);
    if let (Some(report), Some(path)) = (report, &args.report) {
        report::finish(report, path, logger)?;
    }
    Ok(outcome)
}

/// Writes the prompt of each image to the output and to the report.
fn write(
    run: Run,
    interrogator: &Interrogator,
    captions: &CaptionSource,
    plan: &PromptPlan<'_>,
    mut report: Option<&mut Report>,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    // A chain takes seconds: write each result at once.
    let run = if plan.mode().scores_texts() { run.with_batch_limit(1) } else { run };
    let (tower, for_report) = (interrogator.tower(), report.is_some());
    let captioner = captions.preprocess();
    let preparation = Preparation { tower, captioner, thumbnails: for_report };
    let chain = ChainProgress::new(logger);
    run.write::<Row<'_>, _>(logger, &|picture| preparation.prepare(picture), |batches, results| {
        for batch in batches {
            let encoded = batch.encode(|images| encode(images, captions, tower));
            let prompts = encoded.map(|images| plan.write(images, for_report, &chain))?;
            for ImageResult { name, result, .. } in prompts {
                if let Some(report) = &mut report {
                    let card = result.as_ref().map(WrittenPrompt::card);
                    report::add(report, &name.text, plan.mode().name(), card)?;
                }
                match &result {
                    Ok(written) => {
                        let (text, prompt) = (&written.text, &written.prompt);
                        let row = Row::new(&name.text, text, plan.mode(), prompt);
                        results.write(&name, &row)?;
                        if text.is_empty() {
                            logger.note(plan.empty_note(&name.text));
                        }
                    }
                    Err(error) => results.failed(&name, error)?,
                }
            }
            results.commit()?;
        }
        Ok(())
    })
}
