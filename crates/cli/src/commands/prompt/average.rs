//! `interrogate prompt --average`: one prompt for all images.

use build_index::terminal::library_hint;
use interrogate::encoder::Features;
use interrogate::{Error, Interrogator};

use super::chain_progress::ChainProgress;
use super::encode::Encoded;
use super::plan::PromptPlan;
use super::row::Row;
use crate::args::{self, Form};
use crate::commands;
use crate::error::CliError;
use crate::logger::Logger;
use crate::outcome::Outcome;
use crate::output::Stdout;
use crate::run::Run;

/// Prints one prompt for the mean of the images' features.
pub(super) fn run(
    args: &args::Prompt,
    run: &Run,
    interrogator: &Interrogator,
    plan: &PromptPlan<'_>,
    logger: &Logger,
) -> Result<Outcome, CliError> {
    commands::require_lines(&args.output)?;
    let (tower, mut outcome) = (interrogator.tower(), Outcome::default());
    let mut all = Vec::new();
    let complete = run.decode(&|picture| tower.prepare(picture), |batches| {
        for image in batches.flat_map(|batch| batch.features(tower)) {
            match image.result {
                Ok(features) => all.push(features),
                Err(error) => {
                    outcome.failed += 1;
                    logger.error(&error, library_hint(&error));
                }
            }
        }
        Ok(())
    })?;
    run.log_skipped(logger);
    outcome.done = all.len();
    if !complete || all.is_empty() {
        return Ok(Outcome { interrupted: !complete, ..outcome });
    }
    let caption = args.caption.clone();
    let mean = Encoded { features: Features::mean(&all)?, caption, thumbnail: None };
    let prompts = match plan.write(vec![mean], false, &ChainProgress::new(logger)) {
        Err(Error::Interrupted) => return Ok(Outcome { interrupted: true, ..outcome }),
        prompts => prompts?,
    };
    let name = format!("average of {} images", all.len());
    for written in &prompts {
        let text = &written.text;
        match args.output.format.unwrap_or(Form::Text) {
            Form::Jsonl => {
                Stdout::new().json(&Row::new(&name, text, plan.mode(), &written.prompt))?;
            }
            _ => Stdout::new().line(text)?,
        }
        if text.is_empty() {
            logger.note(plan.empty_note(&name));
        }
    }
    Ok(outcome)
}
