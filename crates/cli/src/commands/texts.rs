//! The texts of `embed texts` and `similarity`.

use std::io::stdin;
use std::path::Path;

use interrogate::input::{LineEnding, Text};
use interrogate::limits;

use crate::error::CliError;

/// Texts that are encoded together.
pub(super) const BATCH: usize = 256;

/// Returns `texts`, or the lines of standard input that are not blank if `texts` is `-`
/// alone.
pub(super) fn read(texts: &[String]) -> Result<Vec<String>, CliError> {
    if texts != ["-"] {
        return Ok(texts.to_vec());
    }
    let text = Text::new(Path::new("standard input"), stdin().lock(), limits::LIST)?;
    let mut lines = text.lines(LineEnding::Any, limits::LINE);
    let mut texts = Vec::new();
    while let Some(line) = lines.next_line()? {
        let text = line.text()?;
        if !text.trim().is_empty() {
            texts.push(text.to_owned());
        }
    }
    Ok(texts)
}
