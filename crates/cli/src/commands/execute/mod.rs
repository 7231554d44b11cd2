//! `interrogate execute`: one task of the original pipeline over a folder of images.

mod models;
mod print;
mod row;

use std::path::{Path, PathBuf};

use build_index::terminal::Dictionaries;
use interrogate::Device;
use interrogate::caption::GenerationConfig;
use interrogate::models::Model;
use interrogate::pipeline::{self, Models, Pipeline, Settings, Task};

use crate::args::{self, Format};
use crate::error::CliError;
use crate::indexes::INDEXES;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::Stdout;
use crate::source::Skipped;
use print::{print, print_failed};

/// Prints the result of the task for each image, batch by batch.
pub(crate) fn run(args: &args::Execute, logger: &Logger) -> Result<Outcome, CliError> {
    let task: Task = args.model.parse()?;
    let device = args.device.resolve(logger);
    device.check()?; // before any download
    let settings = settings(args, device)?;
    let models = models::models(args, task, logger)?;
    let mut skipped = Skipped::default();
    let images = match (task, &args.data_path) {
        (Task::TestDict, _) => Vec::new(),
        (_, Some(data)) => pipeline::images(data, &mut |path| skipped.entry(path))?,
        (_, None) => {
            return Err(CliError::Arguments {
                message: format!("{task} needs images"),
                hint: "pass --data-path DIR, the folder that contains images/".to_owned(),
            });
        }
    };
    let pipeline = open(args, task, models.as_ref(), &settings, logger)?;
    pipeline.notice().into_iter().for_each(|notice| logger.note(notice));
    let mut output = Stdout::new();
    let mut outcome = Outcome::default();
    let format = args.format.or(Format::Text);
    if task == Task::TestDict {
        print(&mut output, format, &pipeline.batch(&[])?)?;
    }
    for batch in images.chunks(args.batch_size.into()) {
        let executed = pipeline.batch(batch)?;
        outcome.done += executed.ids.len();
        outcome.failed += executed.failed.len();
        print(&mut output, format, &executed)?;
        print_failed(&mut output, format, &executed, logger)?;
    }
    skipped.summary().into_iter().for_each(|summary| logger.note(summary));
    Ok(outcome)
}

fn settings(args: &args::Execute, device: Device) -> Result<Settings, CliError> {
    Ok(Settings {
        max_flavors: args.max_flavors,
        generation: GenerationConfig { num_beams: args.num_beams, ..GenerationConfig::default() },
        precision: args.caption_precision,
        device,
        template: args.template.parse()?,
    })
}

/// Opens the models of `task`, and the index if the task needs one.
fn open(
    args: &args::Execute,
    task: Task,
    models: &dyn Models,
    settings: &Settings,
    logger: &Logger,
) -> Result<Pipeline, CliError> {
    // Only tasks with a configuration file have an index.
    let parent = args.extend_path.as_deref().and_then(Path::parent);
    let indexes = parent.map_or_else(PathBuf::new, PathBuf::from).join(INDEXES);
    let dicts = Dictionaries::Paths(vec![models.dicts().to_owned()]);
    let index = |model: &Model| {
        let folder = args.index.clone().unwrap_or_else(|| indexes.join(model.slug()));
        Ok::<_, CliError>(opening::index_of(model, &dicts, &folder, logger)?.on(settings.device)?)
    };
    opening::fetching(logger, |options, progress| {
        Pipeline::open(task, models, settings, options, index, progress)
    })
}
