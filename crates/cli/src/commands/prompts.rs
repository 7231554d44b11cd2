//! `interrogate embed prompts` and `embed average`: sentence embeddings of
//! prompts, and sums of them.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};

use interrogate::encoder::TextEncoder;
use interrogate::nn::Compute;
use interrogate::pipeline::stems;
use interrogate::sentence::MiniLm;
use interrogate::{input, limits};
use serde::Deserialize;

use crate::args::{EmbedAverage, EmbedPrompts, RowFormat};
use crate::fault::{Fault, Outcome};
use crate::files::Files;
use crate::opening;
use crate::rows::{self, Error, Prompt, npy};
use crate::talk::Talk;

/// Prompts that are embedded together.
const BATCH: usize = 256;

/// A line of `interrogate prompt` or `execute`, as far as it matters.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "id")]
    image: Option<String>,
    #[serde(alias = "text")]
    prompt: Option<String>,
    error: Option<String>,
}

/// Writes the embedding of each prompt.
pub(crate) fn run(args: &EmbedPrompts, talk: &Talk) -> Result<Outcome, Fault> {
    let format = args.format();
    let (prompts, failed, file) = read(&args.prompts, talk)?;
    if let Some(output) = &args.output {
        let files = Files::default().model(Some(&args.embedding_model));
        apart(files, output, file.as_slice())?;
    }
    if format == RowFormat::Submission {
        if let Some(row) = prompts.iter().position(|prompt| prompt.stem.is_none()) {
            return Err(Error::Nameless { row }.into());
        }
        stems(&prompts.iter().map(|prompt| &prompt.id).collect::<Vec<_>>())?;
    }
    args.device.open()?; // before anything is fetched
    let compute = Compute { device: args.device, ..Compute::default() };
    let encoder = opening::fetching(talk, |options, progress| {
        MiniLm::named(&args.embedding_model, &compute, options, progress)
    })?;
    let shape = (prompts.len(), encoder.dim());
    let mut sink = rows::open(format, args.output.as_deref(), shape)?;
    let bar = talk.bar(prompts.len() as u64, "{bar:40} {pos}/{len} prompts, {per_sec}, {eta} left");
    for batch in prompts.chunks(BATCH) {
        let texts: Vec<&str> = batch.iter().map(|prompt| prompt.text.as_str()).collect();
        for (prompt, values) in batch.iter().zip(encoder.encode(&texts)?.rows()) {
            sink.row(prompt, values)?;
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    sink.finish()?;
    Ok(Outcome { done: prompts.len(), failed, ..Outcome::default() })
}

/// The prompts that were named, how many lines tell of a failed image, and the
/// file that they are from, where there is one.
fn read(named: &[String], talk: &Talk) -> Result<(Vec<Prompt>, usize, Option<PathBuf>), Fault> {
    let (name, bytes, file) = match named {
        [only] if only == "-" => {
            let name = "standard input";
            (name, input::read_stream(Path::new(name), stdin().lock(), limits::LIST)?, None)
        }
        // A folder's name may well be a prompt.
        [only] if Path::new(only).metadata().is_ok_and(|kind| !kind.is_dir()) => {
            let path = PathBuf::from(only);
            (only.as_str(), input::read_named(&path, limits::LIST)?, Some(path))
        }
        texts => {
            let numbered = texts.iter().enumerate();
            return Ok((numbered.map(|(row, text)| plain(row, text)).collect(), 0, None));
        }
    };
    let mut prompts = Vec::new();
    let mut failed = 0;
    let mut json = None;
    for (number, line) in bytes.as_slice().lines().enumerate() {
        let line = line.map_err(|source| Error::Read { path: name.into(), source })?;
        // The first line tells which kind of file it is.
        if !*json.get_or_insert(line.starts_with('{')) {
            prompts.push(plain(prompts.len(), &line));
            continue;
        }
        match parsed(name, number + 1, &line)? {
            Ok(prompt) => prompts.push(prompt),
            Err(error) => {
                failed += 1;
                talk.note(format_args!("{name}: line {}: left out: {error}", number + 1));
            }
        }
    }
    Ok((prompts, failed, file))
}

fn plain(row: usize, text: &str) -> Prompt {
    Prompt { id: row.to_string(), stem: None, text: text.to_owned() }
}

/// A JSON line: a prompt, or why there is none.
fn parsed(name: &str, line: usize, text: &str) -> Result<Result<Prompt, String>, Error> {
    let wrong = |found: String| {
        let expected = "a JSON object with image and prompt";
        Error::Line { name: name.to_owned(), line, expected, found }
    };
    let parsed: Line = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    match parsed {
        Line { error: Some(error), .. } => Ok(Err(error)),
        Line { image: Some(image), prompt: Some(text), .. } => {
            let stem = stems(&[&image]).ok().and_then(|mut stems| stems.pop());
            Ok(Ok(Prompt { id: image, stem, text }))
        }
        Line { image: None, .. } => Err(wrong("no image".into())),
        Line { prompt: None, .. } => Err(wrong("no prompt".into())),
    }
}

/// Writes the weighted sum of the unit rows of several files, of unit length.
pub(crate) fn average(args: &EmbedAverage) -> Result<Outcome, Fault> {
    apart(Files::default(), &args.output, &args.files)?;
    let (weights, files) = (args.weights.len(), args.files.len());
    if weights != 0 && weights != files {
        return Err(Error::Weights { weights, files }.into());
    }
    let weights = if weights == 0 { vec![1.0; files] } else { args.weights.clone() };
    let readers = args.files.iter().map(|path| npy::Reader::open(path));
    let mut readers = readers.collect::<Result<Vec<_>, Error>>()?;
    let (count, dim) = readers.first().map_or((0, 1), |first| (first.count, first.dim));
    if let Some(other) = readers.iter().find(|other| (other.count, other.dim) != (count, dim)) {
        let expected = format!("({count}, {dim}) as in {}", readers[0].path.display());
        let found = format!("({}, {})", other.count, other.dim);
        return Err(Error::Npy { path: other.path.clone(), what: "shape", expected, found }.into());
    }
    let mut writer = npy::Writer::create(&args.output, count, dim)?;
    for row in 0..count {
        let mut sum = vec![0.0; dim];
        for (reader, weight) in readers.iter_mut().zip(&weights) {
            let values = unit(reader.row()?);
            let values = values.ok_or(Error::Direction { path: reader.path.clone(), row })?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let sum = unit(sum).ok_or(Error::Direction { path: args.output.clone(), row })?;
        writer.values(&sum.iter().map(|&value| value as f32).collect::<Vec<_>>())?;
    }
    writer.finish()?;
    Ok(Outcome { done: count, ..Outcome::default() })
}

/// Refuses an output that is read: it would be gone before, or after.
fn apart(mut files: Files, output: &Path, inputs: &[PathBuf]) -> Result<(), Fault> {
    for path in inputs {
        files = files.reading(path, "rows or prompts");
    }
    files.writing(output, "the rows").check(&[], false)
}

/// The row divided by its length; `None` where that is zero or not finite.
fn unit(mut row: Vec<f64>) -> Option<Vec<f64>> {
    let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then_some(())?;
    row.iter_mut().for_each(|value| *value /= length);
    Some(row)
}
