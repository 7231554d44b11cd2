//! The prompts of `embed prompts`.

use std::io::stdin;
use std::path::{Path, PathBuf};

use interrogate::input::Text;
use interrogate::limits;
use interrogate::pipeline::stems;

use crate::args::EmbedPrompts;
use crate::error::CliError;
use crate::logger::Logger;
use crate::output::Prompt;
use crate::prompt_file;

/// The prompts to embed.
pub(super) struct Input {
    pub(super) prompts: Vec<Prompt>,
    /// The number of records that hold an error instead of a prompt.
    pub(super) failed: usize,
    /// The file that the prompts are from.
    pub(super) file: Option<PathBuf>,
}

/// Reads the prompts from a file, from standard input or from the arguments.
pub(super) fn read(args: &EmbedPrompts, logger: &Logger) -> Result<Input, CliError> {
    let (text, file) = match &args.prompts[..] {
        [only] if only == "-" => {
            (Text::new(Path::new("standard input"), stdin().lock(), limits::LIST), None)
        }
        // The name of a folder is a prompt.
        [only] if Path::new(only).metadata().is_ok_and(|kind| !kind.is_dir()) => {
            let path = PathBuf::from(only);
            (Text::open(&path, limits::LIST), Some(path))
        }
        texts => {
            let prompts =
                texts.iter().enumerate().map(|(row, text)| prompt(row, None, text.clone()));
            return Ok(Input { prompts: prompts.collect(), failed: 0, file: None });
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
    let records = found.records.into_iter().enumerate();
    let prompts = records.map(|(row, record)| prompt(row, record.image, record.prompt)).collect();
    Ok(Input { prompts, failed: found.failed.len(), file })
}

/// Returns a prompt with the name of its image, or else of its row.
fn prompt(row: usize, image: Option<String>, text: String) -> Prompt {
    let stem = image.as_ref().and_then(|image| stems(&[image]).ok()?.pop());
    Prompt { id: image.unwrap_or_else(|| row.to_string()), stem, text }
}
