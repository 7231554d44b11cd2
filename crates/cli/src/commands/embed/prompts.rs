//! `interrogate embed prompts`: the sentence embeddings of prompts.

use interrogate::Compute;
use interrogate::encoder::TextEncoder;
use interrogate::pipeline::stems;
use interrogate::sentence::MiniLm;

use super::check_output;
use super::input::{Input, read};
use crate::args::{EmbedPrompts, RowFormat};
use crate::error::CliError;
use crate::files::Files;
use crate::logger::Logger;
use crate::opening;
use crate::outcome::Outcome;
use crate::output::{EmbeddingWriter, OutputError};

/// Prompts that are encoded together.
const BATCH: usize = 256;

/// Writes the embedding of each prompt.
pub(crate) fn run(args: &EmbedPrompts, logger: &Logger) -> Result<Outcome, CliError> {
    let format = args.format();
    let Input { prompts, failed, file } = read(args, logger)?;
    let files = Files::default().model(Some(&args.embedding_model));
    check_output(files, args.output.as_deref(), file.as_slice())?;
    if format == RowFormat::Submission {
        if let Some(row) = prompts.iter().position(|prompt| prompt.stem.is_none()) {
            return Err(OutputError::NoImageName { row }.into());
        }
        stems(&prompts.iter().map(|prompt| &prompt.id).collect::<Vec<_>>())?;
    }
    let device = args.device.resolve(logger);
    device.check()?; // before anything is fetched
    let compute = Compute { device, ..Compute::default() };
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
