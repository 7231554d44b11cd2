//! `interrogate embed prompts` and `embed average`: sentence embeddings of
//! prompts, and sums of them.

use std::io::stdin;
use std::path::{Path, PathBuf};

use interrogate::Compute;
use interrogate::encoder::TextEncoder;
use interrogate::input::Text;
use interrogate::limits;
use interrogate::pipeline::stems;
use interrogate::sentence::MiniLm;

use crate::args::{EmbedAverage, EmbedPrompts, RowFormat};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{EmbeddingWriter, OutputError, Prompt, npy};
use crate::prompt_file;

/// Prompts that are embedded together.
const BATCH: usize = 256;

/// Writes the embedding of each prompt.
pub(crate) fn run(args: &EmbedPrompts, logger: &Logger) -> Result<Outcome, CliError> {
    let format = args.format();
    let (prompts, failed, file) = read(args, logger)?;
    if let Some(output) = &args.output {
        let files = Files::default().model(Some(&args.embedding_model));
        apart(files, output, file.as_slice())?;
    }
    if format == RowFormat::Submission {
        if let Some(row) = prompts.iter().position(|prompt| prompt.stem.is_none()) {
            return Err(OutputError::NoImageName { row }.into());
        }
        stems(&prompts.iter().map(|prompt| &prompt.id).collect::<Vec<_>>())?;
    }
    args.device.check()?; // before anything is fetched
    let compute = Compute { device: args.device, ..Compute::default() };
    let encoder = opening::fetching(logger, |options, progress| {
        MiniLm::from_name(&args.embedding_model, &compute, options, progress)
    })?;
    let shape = (prompts.len(), encoder.dim());
    let mut writer = EmbeddingWriter::open(format, args.output.as_deref(), shape)?;
    let bar =
        logger.bar(prompts.len() as u64, "{bar:40} {pos}/{len} prompts, {per_sec}, {eta} left");
    for batch in prompts.chunks(BATCH) {
        let texts: Vec<&str> = batch.iter().map(|prompt| prompt.text.as_str()).collect();
        for (prompt, values) in batch.iter().zip(encoder.encode(&texts)?.rows()) {
            writer.write(prompt, values)?;
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    writer.finish()?;
    Ok(Outcome { done: prompts.len(), failed, ..Outcome::default() })
}

/// The prompts that were named, how many records tell of a failed image, and the
/// file that they are from, where there is one.
fn read(
    args: &EmbedPrompts,
    logger: &Logger,
) -> Result<(Vec<Prompt>, usize, Option<PathBuf>), CliError> {
    let (text, file) = match &args.prompts[..] {
        [only] if only == "-" => {
            (Text::new(Path::new("standard input"), stdin().lock(), limits::LIST), None)
        }
        // A folder's name may well be a prompt.
        [only] if Path::new(only).metadata().is_ok_and(|kind| !kind.is_dir()) => {
            let path = PathBuf::from(only);
            (Text::open(&path, limits::LIST), Some(path))
        }
        texts => {
            let numbered = texts.iter().enumerate();
            let prompts = numbered.map(|(row, text)| named(row, None, text.clone()));
            return Ok((prompts.collect(), 0, None));
        }
    };
    let text = text.map_err(CliError::PromptFile)?;
    let name = text.path().display().to_string();
    let found =
        prompt_file::read(text, args.input_format.format()).map_err(CliError::PromptFile)?;
    for (line, error) in &found.failed {
        logger.note(format_args!("{}: left out: {error}", line.display()));
    }
    if found.blank > 0 {
        let s = if found.blank == 1 { "" } else { "s" };
        logger.note(format_args!("{name}: {} blank line{s} left out", found.blank));
    }
    let numbered = found.records.into_iter().enumerate();
    let prompts = numbered.map(|(row, record)| named(row, record.image, record.prompt));
    Ok((prompts.collect(), found.failed.len(), file))
}

/// A prompt named by its image, or by its row.
fn named(row: usize, image: Option<String>, text: String) -> Prompt {
    let stem = image.as_ref().and_then(|image| stems(&[image]).ok()?.pop());
    Prompt { id: image.unwrap_or_else(|| row.to_string()), stem, text }
}

/// Writes the weighted sum of the unit rows of several files, of unit length.
pub(crate) fn average(args: &EmbedAverage) -> Result<Outcome, CliError> {
    apart(Files::default(), &args.output, &args.files)?;
    let (weights, files) = (args.weights.len(), args.files.len());
    if weights != 0 && weights != files {
        return Err(CliError::Weights { weights, files });
    }
    let weights = if weights == 0 { vec![1.0; files] } else { args.weights.clone() };
    let readers = args.files.iter().map(|path| npy::Reader::open(path));
    let mut readers = readers.collect::<Result<Vec<_>, OutputError>>()?;
    let (count, dim) = readers.first().map_or((0, 1), |first| (first.rows, first.dim));
    if let Some(other) = readers.iter().find(|other| (other.rows, other.dim) != (count, dim)) {
        let expected = format!("({count}, {dim}) as in {}", readers[0].path.display());
        let found = format!("({}, {})", other.rows, other.dim);
        return Err(OutputError::npy(&other.path, "shape", expected, found).into());
    }
    let mut writer = npy::Writer::create(&args.output, (count, dim))?;
    for row in 0..count {
        let mut sum = vec![0.0; dim];
        for (reader, weight) in readers.iter_mut().zip(&weights) {
            let values = unit(reader.row()?);
            let values = values.ok_or(CliError::ZeroRow { path: reader.path.clone(), row })?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let sum = unit(sum).ok_or(CliError::ZeroRow { path: args.output.clone(), row })?;
        writer.write(&sum.iter().map(|&value| value as f32).collect::<Vec<_>>())?;
    }
    writer.finish()?;
    Ok(Outcome { done: count, ..Outcome::default() })
}

/// Refuses an output that is read: it would be gone before, or after.
fn apart(mut files: Files, output: &Path, inputs: &[PathBuf]) -> Result<(), CliError> {
    for path in inputs {
        files = files.reading(path, "rows or prompts");
    }
    Ok(files.writing(output, "the rows").check(&[], false)?)
}

/// The row divided by its length; `None` where that is zero or not finite.
fn unit(mut row: Vec<f64>) -> Option<Vec<f64>> {
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then_some(())?;
    row.iter_mut().for_each(|value| *value /= length);
    Some(row)
}
