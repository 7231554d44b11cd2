//! `interrogate execute`: a folder of images through one task of the pipeline.

use std::collections::BTreeMap;
use std::path::Path;

use build_index::terminal::library_hint;
use interrogate::caption::GenerationConfig;
use interrogate::models::Model;
use interrogate::pipeline::ZERO_SHOT;
use interrogate::pipeline::{
    self, BatchResult, Config, Overrides, Pipeline, Settings, Task, TaskOutput,
};
use serde::Serialize;

use crate::args::{self, Format};
use crate::error::CliError;
use crate::logger::{self, Logger};
use crate::opening;
use crate::outcome::Outcome;
use crate::output::Stdout;
use crate::source::Skipped;

/// One answer as a JSON object.
#[derive(Default, Serialize)]
struct Row<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<BTreeMap<&'a str, f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<(u32, u32)>,
}

/// A label of a dictionary as a JSON object.
#[derive(Serialize)]
struct Label<'a> {
    label: &'a str,
}

/// An image that failed as a JSON object.
#[derive(Serialize)]
struct Failed<'a> {
    image: &'a str,
    error: &'a str,
}

/// Prints the task's answer for each image, batch by batch.
pub(crate) fn run(args: &args::Execute, logger: &Logger) -> Result<Outcome, CliError> {
    let task: Task = args.model.parse()?;
    args.device.check()?; // before anything is fetched
    let settings = Settings {
        max_flavors: args.max_flavors,
        generation: GenerationConfig { num_beams: args.num_beams, ..GenerationConfig::default() },
        precision: args.caption_precision,
        device: args.device,
        template: args.template.parse()?,
    };
    let (models, extend) = (args.model_path.as_deref(), args.model_extend_path.as_deref());
    let config = Config::open(&args.extend_path, Overrides { models, extend })?;
    let mut skipped = Skipped::default();
    let images = match task {
        Task::TestDict => Vec::new(),
        _ => pipeline::images(&args.data_path, &mut |path| skipped.entry(path))?,
    };
    let beside = args.extend_path.parent().unwrap_or(Path::new("")).join(opening::INDEXES);
    let index = |model: &Model| {
        let folder = args.index.clone().unwrap_or_else(|| beside.join(model.slug()));
        Ok::<_, CliError>(
            opening::index_of(model, &config.dicts, &folder, logger)?.on(args.device)?,
        )
    };
    let pipeline = opening::fetching(logger, |options, progress| {
        Pipeline::open(task, &config, &settings, options, index, progress)
    })?;
    pipeline.notice().into_iter().for_each(|notice| logger.note(notice));
    let format = args.format.or(Format::Text);
    let mut output = Stdout::new();
    let mut outcome = Outcome::default();
    if task == Task::TestDict {
        print(&mut output, format, &pipeline.batch(&[])?)?;
    }
    for batch in images.chunks(args.batch_size.into()) {
        let executed = pipeline.batch(batch)?;
        outcome.done += executed.ids.len();
        outcome.failed += executed.failed.len();
        print(&mut output, format, &executed)?;
        for (path, error) in &executed.failed {
            if format == Format::Jsonl {
                let (image, error) = (&*path.to_string_lossy(), &*logger::with_causes(error));
                output.json(&Failed { image, error })?;
            }
            logger.error(error, library_hint(error));
        }
    }
    skipped.said().into_iter().for_each(|said| logger.note(said));
    Ok(outcome)
}

/// The answers of one batch.
fn print(output: &mut Stdout, format: Format, executed: &BatchResult) -> Result<(), CliError> {
    if let TaskOutput::Labels(labels) = &executed.output {
        for label in labels {
            match format {
                Format::Jsonl => output.json(&Label { label })?,
                Format::Text => output.line(label)?,
            }
        }
        return Ok(());
    }
    for (at, id) in executed.ids.iter().enumerate() {
        let row = row(id, &executed.output, at);
        match format {
            Format::Jsonl => output.json(&row)?,
            Format::Text => output.line(line(&row))?,
        }
    }
    Ok(())
}

fn row<'a>(id: &'a str, answers: &'a TaskOutput, at: usize) -> Row<'a> {
    let row = Row { id, ..Row::default() };
    match answers {
        TaskOutput::Prompts(prompts) => Row { prompt: Some(&prompts[at]), ..row },
        TaskOutput::Embeddings { prompts, dim, values } => {
            let embedding = Some(&values[at * dim..][..*dim]);
            Row { prompt: Some(&prompts[at]), embedding, ..row }
        }
        TaskOutput::Scores(scores) => {
            Row { scores: Some(ZERO_SHOT.into_iter().zip(scores[at]).collect()), ..row }
        }
        TaskOutput::Sizes(sizes) => Row { size: Some(sizes[at]), ..row },
        TaskOutput::Labels(_) => row,
    }
}

/// As text: the id and its prompt, its values, its scores or its size.
fn line(row: &Row<'_>) -> String {
    let id = &crate::escape::line(row.id);
    if let Some(values) = row.embedding {
        return values.iter().fold(id.clone(), |line, value| line + &format!("\t{value}"));
    }
    if let Some(scores) = &row.scores {
        let said: Vec<String> = scores.iter().map(|(l, score)| format!("{l} {score:.4}")).collect();
        return format!("{id}: {}", said.join(", "));
    }
    match row.size {
        Some((width, height)) => format!("{id}: {width} x {height}"),
        None => format!("{id}: {}", row.prompt.unwrap_or_default()),
    }
}
