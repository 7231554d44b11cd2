//! One file a command.

mod caption;
mod embed;
mod execute;
mod info;
mod prompt;
mod prompts;
mod query;
mod rank;
mod similarity;
mod verify;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use indicatif::ProgressBar;

use crate::args::{Command, Format};
use crate::batch;
use crate::fault::{Fault, Outcome};
use crate::output::{Failed, Output};
use crate::talk::Talk;

/// Runs the command that was typed.
pub(crate) fn run(command: Command, talk: &Talk) -> Result<Outcome, Fault> {
    match command {
        Command::Prompt(args) => prompt::run(&args, talk),
        Command::Rank(args) => match &args.query {
            Some(query) => query::run(&args, query, talk),
            None => rank::run(&args, talk),
        },
        Command::Similarity(args) => similarity::run(&args, talk),
        Command::Caption(args) => caption::run(&args, talk),
        Command::Embed(args) => embed::run(&args, talk),
        Command::Execute(args) => execute::run(&args, talk),
        Command::Verify(args) => verify::run(&args, talk),
        Command::Info(args) => info::run(&args),
    }
}

/// Answers `images` batch by batch: `features` sees a batch's paths, `answer`
/// the images that have features, in order; failures go to both outputs.
fn each_image<T>(
    images: &[PathBuf],
    batch_size: u16,
    format: Format,
    talk: &Talk,
    look: impl Fn(&[PathBuf]) -> Vec<interrogate::Result<T>>,
    mut answer: impl FnMut(&mut Output, Vec<(String, T)>) -> Result<(), Fault>,
) -> Result<Outcome, Fault> {
    let mut output = Output::new();
    let mut outcome = Outcome::default();
    // Lines that a person sees come are progress enough.
    let watched = images.len() > usize::from(batch_size) && !stdout().is_terminal();
    let template = "{bar:40} {pos}/{len} images, {per_sec}, {eta} left";
    let bar = if watched { talk.bar(images.len() as u64, template) } else { ProgressBar::hidden() };
    for batch in images.chunks(batch_size.into()) {
        let mut seen = Vec::new();
        for (path, looked) in batch.iter().zip(look(batch)) {
            match looked {
                Ok(features) => seen.push((batch::name(path), features)),
                Err(error) => {
                    // Those before it are answered first: the order is the input's.
                    outcome.done += seen.len();
                    answer(&mut output, std::mem::take(&mut seen))?;
                    outcome.failed += 1;
                    if format == Format::Jsonl {
                        output.json(&Failed::new(path, &error))?;
                    }
                    talk.error(&error, error.hint());
                }
            }
        }
        outcome.done += seen.len();
        answer(&mut output, seen)?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    if outcome.failed > 0 {
        talk.note(format_args!("{} of {} images failed", outcome.failed, images.len()));
    }
    Ok(outcome)
}
